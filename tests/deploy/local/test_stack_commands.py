"""``balancebus stack``, as a user types it."""

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from balance_cli.stack import app
from balance_stack.ports import free_ports
from balance_stack.stack import Stack

runner = CliRunner()


def test_status_without_a_stack_says_how_to_start_one(tmp_path: Path) -> None:
    """Nothing there: exit 1 and the command that helps."""
    result = runner.invoke(app, ["status", "--directory", str(tmp_path)])
    assert (result.exit_code, "balancebus stack up" in result.stderr) == (1, True)


def test_down_without_a_stack_is_done(tmp_path: Path) -> None:
    """Nothing there: nothing to stop, exit 0."""
    result = runner.invoke(app, ["down", "--directory", str(tmp_path)])
    assert (0, f"There is no stack in {tmp_path}.\n") == (
        result.exit_code,
        result.stdout,
    )


def test_up_refuses_a_taken_port_in_one_line(tmp_path: Path) -> None:
    """The line names the port and the option; nothing is started."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        options = ["--directory", str(tmp_path), "--kafka-port", str(port)]
        result = runner.invoke(app, ["up", *options])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: port {port} is in use")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.integration
def test_up_status_and_down(tmp_path: Path) -> None:
    """A stack on free ports comes up, is shown, exported, and stopped."""
    where = ["--directory", str(tmp_path)]
    try:
        up = runner.invoke(app, ["up", *where, "--free-ports"])
        assert (up.exit_code, up.stdout.count("running")) == (0, 3)
        exported = runner.invoke(app, ["status", *where, "--export"])
        stack = Stack.load(tmp_path)
        assert stack is not None
        for name, value in stack.endpoints.environment().items():
            assert f"export {name}={value}\n" in exported.stdout
        assert runner.invoke(app, ["up", *where]).stdout.startswith("Already running")
        more = runner.invoke(app, ["up", *where, "--brokers", "3"])
        assert (more.exit_code, "not 3" in more.stderr) == (2, True)
    finally:
        down = runner.invoke(app, ["down", *where, "--delete-data"])
    assert (down.exit_code, down.stdout) == (0, "Stopped, and the data deleted.\n")
    assert runner.invoke(app, ["status", *where]).exit_code == 1


def test_a_stopped_stack_is_shown_with_exit_1(tmp_path: Path) -> None:
    """Status tells each part that does not run."""
    stack = Stack(tmp_path, free_ports(brokers=1))
    stack._claim()
    result = runner.invoke(app, ["status", "--directory", str(tmp_path)])
    assert (result.exit_code, result.stdout.count(" stopped ")) == (1, 3)
