"""The topics: what is on each, how it is kept, and under which subject it is known."""

from dataclasses import dataclass
from typing import Literal

from balance_schemas.records import (
    Acknowledgement,
    Alert,
    BalanceEvent,
    BalanceProof,
    ConnectorStatus,
    DeadLetter,
    RawFrame,
    Reconciliation,
    Record,
)

DAY_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic of the bus.

    Attributes:
        name: name without the prefix: ``events``, ``latest`` ...
        record: type of its values.
        cleanup: ``delete`` (kept for a time) or ``compact`` (the last of each key).
        retention_ms: how long records are kept, in milliseconds; None if compacted.
        description: one line for people.
    """

    name: str
    record: type[Record]
    cleanup: Literal["delete", "compact"]
    retention_ms: int | None
    description: str

    def full_name(self, prefix: str) -> str:
        """Return the name on the broker, such as ``balances.events.v1``."""
        return f"{prefix}.{self.name}.v1"

    def subject(self, prefix: str) -> str:
        """Return the registry subject of its values (topic name strategy)."""
        return f"{self.full_name(prefix)}-value"

    def config(self) -> dict[str, str]:
        """Return the broker's topic settings, as Kafka names and texts."""
        config: dict[str, str] = {"cleanup.policy": self.cleanup}
        if self.retention_ms is not None:
            config["retention.ms"] = str(self.retention_ms)
        return config


EVENTS = Topic("events", BalanceEvent, "delete", 30 * DAY_MS, "Every balance event")
LATEST = Topic("latest", BalanceEvent, "compact", None, "Current balance of each key")
FRAMES = Topic("frames", RawFrame, "delete", 7 * DAY_MS, "Venue messages as received")
STATUS = Topic("status", ConnectorStatus, "compact", None, "State of each feed")
RECONCILIATIONS = Topic(
    "reconciliations", Reconciliation, "delete", 30 * DAY_MS, "Stream against REST"
)
PROOFS = Topic("proofs", BalanceProof, "compact", None, "Verdict on each balance")
ACKNOWLEDGEMENTS = Topic(
    "acknowledgements", Acknowledgement, "compact", None, "Violations settled by hand"
)
ALERTS = Topic("alerts", Alert, "compact", None, "State of each alert")
DEAD_LETTERS = Topic(
    "dead-letters", DeadLetter, "delete", 30 * DAY_MS, "What could not be read"
)

TOPICS = (
    EVENTS,
    LATEST,
    FRAMES,
    STATUS,
    RECONCILIATIONS,
    PROOFS,
    ACKNOWLEDGEMENTS,
    ALERTS,
    DEAD_LETTERS,
)
