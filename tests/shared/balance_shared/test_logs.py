"""Logs: one JSON object a line for machines, readable lines for people."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import logging, sys
import structlog
from balance_shared import logs
early = structlog.get_logger("early")
logs.configure(sys.argv[1], sys.argv[2], "tested")
early.info("started", amount="1.5", venue="kräken")
early.debug("detail")
logging.getLogger("library").warning("from %s", "elsewhere")
logging.getLogger("aiokafka").info("noise")
logging.getLogger("aiokafka").warning("lost")
try:
    1 / 0
except ZeroDivisionError as error:
    early.error("stopped", exc_info=error)
"""


def lines(level, style):
    """Return what a process logs."""
    command = [sys.executable, "-W", "error", "-c", PROGRAM, level, style]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_json_is_one_object_a_line():
    """Ours and those of libraries alike, tracebacks too, and libraries' noise is out."""
    log = [json.loads(line) for line in lines("INFO", "json")]
    assert ["started", "from elsewhere", "lost", "stopped"] == [
        line["event"] for line in log
    ]
    assert {"tested"} == {line["service"] for line in log}
    assert ["info", "warning", "warning", "error"] == [line["level"] for line in log]
    assert all(line["timestamp"].endswith("Z") for line in log)
    assert ("1.5", "kräken") == (log[0]["amount"], log[0]["venue"])
    assert "ZeroDivisionError: division by zero" in log[-1]["exception"]


@pytest.mark.parametrize(
    ("level", "events"), [("DEBUG", 5), ("WARNING", 3), ("ERROR", 1)]
)
def test_level_says_what_is_left_out(level, events):
    """DEBUG shows our details, and not those of noisy libraries."""
    assert events == len(lines(level, "json"))


def test_console_is_for_people():
    """Lines without braces, tracebacks readable, nothing warned about."""
    text = "\n".join(lines("INFO", "console"))
    assert "started" in text
    assert "{" not in text.splitlines()[0]
    assert "ZeroDivisionError" in text
