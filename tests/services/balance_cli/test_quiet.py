"""What clients log is no part of an answer."""

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
