"""Kafka: producing, consuming and topics. The only place that imports aiokafka."""

from balance_shared.kafka.admin import apply_topics
from balance_shared.kafka.connection import answering
from balance_shared.kafka.consumer import (
    Consumer,
    Incoming,
    LeaveOut,
    decoded,
    read_compacted,
)
from balance_shared.kafka.letters import (
    ERROR_CHARS_MAX,
    INVALID_RECORD,
    PAYLOAD_BYTES_MAX,
    dead_letter,
)
from balance_shared.kafka.producer import Outgoing, Producer, outgoing
from balance_shared.kafka.reading import Reader
from balance_shared.kafka.watch import Watch

__all__ = [
    "ERROR_CHARS_MAX",
    "INVALID_RECORD",
    "PAYLOAD_BYTES_MAX",
    "Consumer",
    "Incoming",
    "LeaveOut",
    "Outgoing",
    "Producer",
    "Reader",
    "Watch",
    "answering",
    "apply_topics",
    "dead_letter",
    "decoded",
    "outgoing",
    "read_compacted",
]
