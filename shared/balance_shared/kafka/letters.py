"""Dead letters of records of the bus that cannot be read."""

from datetime import datetime

from balance_schemas.keys import account_key, owner_of
from balance_schemas.records import DeadLetter
from balance_schemas.topics import DEAD_LETTERS
from balance_shared.errors import RecordInvalid
from balance_shared.kafka.consumer import Incoming
from balance_shared.kafka.producer import Outgoing, outgoing

PAYLOAD_BYTES_MAX = 512 * 1024
"""How much of what cannot be read goes into its dead letter."""

ERROR_CHARS_MAX = 1000
"""How much of the error does."""

INVALID_RECORD = "invalid_record"
"""The reason of these letters, on the topic and in metrics."""


def dead_letter(
    incoming: Incoming, error: RecordInvalid, service: str, now: datetime
) -> Outgoing:
    """Return the dead letter of a record that cannot be read or stored.

    Args:
        incoming: the record as it lies on the bus.
        error: what was found, for people.
        service: who found it.
        now: time of the finding, UTC.

    Returns:
        A letter that names the record's place, ready to be published; venue and account
        are taken from the record's key where that has the form of ours.
    """
    venue, account = owner_of(incoming.key)
    value = incoming.value or b""
    letter = DeadLetter(
        venue=venue,
        account=account,
        service=service,
        reason=INVALID_RECORD,
        error=str(error)[:ERROR_CHARS_MAX],
        source_topic=incoming.topic,
        source_partition=incoming.partition,
        source_offset=incoming.offset,
        received_at=now,
        payload=value[:PAYLOAD_BYTES_MAX],
        payload_size=len(value),
    )
    key = letter.key or account_key("", "")
    return outgoing(DEAD_LETTERS, key, letter, int(now.timestamp() * 1000))
