"""The command that runs a stand-in venue."""

import json
import signal
import subprocess
import sys
import urllib.request

from typer.testing import CliRunner

from balance_cli.simulate import app


def test_venue_prints_its_addresses_and_stops_on_sigterm():
    """One JSON line tells where it listens; SIGTERM ends it with exit code 0."""
    code = "from balance_cli.simulate import app; app()"
    command = [sys.executable, "-c", code, "kraken", "--json", "--rate", "50"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        addresses = json.loads(process.stdout.readline())
        truth = f"{addresses['control_url']}/truth"
        with urllib.request.urlopen(truth) as answer:
            assert json.load(answer)["lines"] >= 25
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert addresses["ws_url"].endswith("/v2")
    assert addresses["api_keys"] == ["simulated-key"]


def test_wrong_scope_is_refused():
    """An unknown balance scope ends with exit code 2."""
    result = CliRunner().invoke(app, ["kraken", "--balance-scope", "universe"])
    assert result.exit_code == 2


def test_help_names_the_control_interface():
    """The help tells how to ask for trouble."""
    result = CliRunner().invoke(app, ["kraken", "--help"])
    assert "/control/" in result.output
