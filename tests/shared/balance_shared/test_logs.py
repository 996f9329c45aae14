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


REPEATED = """
import logging, sys
from balance_shared import logs
logs.configure("INFO", "json", "tested")
names = "aiokafka.conn", "library"
for at, node in ((0, 1), (1, 2), (59, 1), (61, 1), (62, 1)):
    for name in names:
        text, values = "Unable connect to node with id %s: %s", (node, at)
        record = logging.LogRecord(name, logging.ERROR, "", 0, text, values, None)
        record.created = 1000.0 + at
        logging.getLogger(name).handle(record)
"""


def test_library_that_repeats_itself_is_heard_once_a_minute():
    """Each node of its own; whoever does not repeat himself is heard each time."""
    command = [sys.executable, "-W", "error", "-c", REPEATED]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    each = [
        f"Unable connect to node with id {one}" for one in ("1: 0", "2: 1", "1: 61")
    ]
    all_ = ["1: 0", "2: 1", "1: 59", "1: 61", "1: 62"]
    others = [f"Unable connect to node with id {one}" for one in all_]
    assert sorted(each + others) == sorted(told)
