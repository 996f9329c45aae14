"""What clients log, and how far a command is, are no part of an answer."""

import subprocess
import sys

LOUD = """
import logging
import structlog
from balance_cli.quiet import quiet
quiet()
structlog.get_logger("clients").warning("kafka_unreachable")
logging.getLogger("aiokafka").error("Unable connect")
print("the answer")
"""


def test_only_the_answer_is_written():
    """JSON stays JSON while Kafka comes and goes."""
    done = subprocess.run(
        [sys.executable, "-c", LOUD], capture_output=True, text=True, check=True
    )
    assert ("the answer\n", "") == (done.stdout, done.stderr)


BUSY = """
from balance_cli.quiet import progress
with progress() as bars:
    bars.advance(bars.add_task("records", total=1))
"""


def test_bar_is_for_who_watches():
    """A file gets not even an empty line."""
    done = subprocess.run(
        [sys.executable, "-c", BUSY], capture_output=True, text=True, check=True
    )
    assert ("", "") == (done.stdout, done.stderr)
