"""`balancebus config check` shows what a service would start with."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("balancebus")


def check(service, **settings):
    """Return the exit code and the output of a check with only these settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("BALANCEBUS_")}
    given = {f"BALANCEBUS_{name}": value for name, value in settings.items()}
    done = subprocess.run(
        [PROGRAM, "config", "check", service],
        env=kept | given | {"COLUMNS": "40"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_settings_are_shown_and_secrets_are_not():
    """Each name has its value, and a secret has stars."""
    code, text = check("connector", ACCOUNT="main", API_KEY="hush", API_SECRET="hush")
    assert code == 0
    assert "hush" not in text
    shown = dict(line.split("│")[1:3] for line in text.splitlines() if "│" in line)
    values = {name.strip(): value.strip() for name, value in shown.items()}
    assert values["BALANCEBUS_ACCOUNT"] == "main"
    assert set(values["BALANCEBUS_API_SECRET"]) == {"*"}
    assert values["BALANCEBUS_TOPIC_PREFIX"] == "balances"


@pytest.mark.parametrize(
    ("service", "settings", "lines"),
    [
        ("storage", {}, ["POSTGRES_DSN: required and not set"]),
        ("metrics", {"ACOUNT": "x"}, ["ACOUNT: unknown setting; did you mean"]),
        (
            "connector",
            {"API_KEY_FILE": "/nowhere", "API_SECRET": "s", "HTTP_PORT": "x"},
            ["API_KEY_FILE: cannot read", "HTTP_PORT: Input", "ACCOUNT: required"],
        ),
    ],
)
def test_wrong_settings_are_lines_and_exit_code_2(service, settings, lines):
    """All that is wrong is told, a line each, and nothing else."""
    code, text = check(service, **settings)
    assert code == 2
    for expected, line in zip(lines, text.splitlines(), strict=True):
        assert line.startswith(f"balancebus: BALANCEBUS_{expected}")


def test_unknown_service_is_told_with_the_known():
    """A typing error in the service's name is a bad setting too."""
    code, text = check("storrage")
    assert code == 2
    assert "unknown service 'storrage': one of connector, storage, metrics" in text
