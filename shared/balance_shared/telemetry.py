"""Every metric of every service, declared once.

Base units, bounded labels: venue, account, feed, kind, reason, topic; never an id.
Ages are not exported: PromQL computes them from the timestamps.
"""

from prometheus_client import REGISTRY, Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_FEED = ("venue", "account", "feed")


class LateGauge(Gauge):
    """A gauge without labels that shows nothing until it is set.

    Others show 0 as soon as they are declared, and so in every service.
    """

    def __init__(self, name: str, documentation: str) -> None:
        """Declare it."""
        super().__init__(name, documentation, registry=None)
        self._registered = False

    def set(self, value: float) -> None:
        """Set it, and show it from now on."""
        super().set(value)
        if not self._registered:
            REGISTRY.register(self)
            self._registered = True


BUILD_INFO = Gauge(
    "balancebus_build_info", "Always 1; says what runs here.", ("service", "version")
)

# Connectors
CONNECTOR_STATE = Gauge(
    "balancebus_connector_state",
    "1 for the state that the feed is in, 0 for the others.",
    (*_FEED, "state"),
)
LAST_MESSAGE = Gauge(
    "balancebus_last_message_timestamp_seconds",
    "When the last frame of any kind arrived, seconds since 1970.",
    _FEED,
)
LAST_EVENT = Gauge(
    "balancebus_last_event_timestamp_seconds",
    "When the last frame that made events arrived, seconds since 1970.",
    _FEED,
)
FRAMES_RECEIVED = Counter(
    "balancebus_frames_received_total", "Frames and answers received.", _FEED
)
FRAMES_REJECTED = Counter(
    "balancebus_frames_rejected_total",
    "Frames not taken in: unreadable (with a dead letter) or told twice.",
    (*_FEED, "reason"),
)
EVENTS_PUBLISHED = Counter(
    "balancebus_events_published_total",
    "Balance events that Kafka has acknowledged.",
    (*_FEED, "kind"),
)
RECONNECTS = Counter(
    "balancebus_reconnects_total",
    "Connections given up, by reason.",
    (*_FEED, "reason"),
)
SEQUENCE_GAPS = Counter(
    "balancebus_sequence_gaps_total", "Gaps in the venue's numbering.", _FEED
)
RECONCILIATIONS = Counter(
    "balancebus_reconciliations_total",
    "Comparisons of stream and polls, by verdict.",
    ("venue", "account", "verdict"),
)
ASSET_CLASHES = Counter(
    "balancebus_asset_clashes_total",
    "Balances that kept the venue's code because their key was taken.",
    _FEED,
)
UNMAPPED_ASSETS = Counter(
    "balancebus_unmapped_assets_total",
    "Asset codes that no table knows, passed through as sent.",
    _FEED,
)
UNKNOWN_WORDS = Counter(
    "balancebus_unknown_words_total",
    "Words of open sets that we do not know, passed through as sent.",
    _FEED,
)
PICTURE_DIFFERENCES = Counter(
    "balancebus_picture_differences_total",
    "Picture rows whose total is not the sum of their wallets.",
    _FEED,
)
PUBLISH_SECONDS = Histogram(
    "balancebus_publish_seconds",
    "From handing records to Kafka until it acknowledged them.",
    _FEED,
    buckets=_SECONDS,
)
VENUE_TO_BUS_SECONDS = Histogram(
    "balancebus_venue_to_bus_seconds",
    "From the venue's own time of an update until Kafka acknowledged it.",
    _FEED,
    buckets=(*_SECONDS, 60, 300),
)
PUBLISH_QUEUE_FRAMES = Gauge(
    "balancebus_publish_queue_frames",
    "Frames received and not yet acknowledged by Kafka.",
    _FEED,
)

# Consumers
RECORDS_CONSUMED = Counter(
    "balancebus_records_consumed_total", "Records read.", ("service", "topic")
)
RECORD_SECONDS = Histogram(
    "balancebus_record_seconds",
    "Time spent on one batch of records.",
    ("service", "topic"),
    buckets=_SECONDS,
)
CONSUMER_LAG_RECORDS = Gauge(
    "balancebus_consumer_lag_records",
    "Records on the topic that are not taken in yet.",
    ("service", "topic", "partition"),
)
CONSUMER_LAG_SECONDS = Gauge(
    "balancebus_consumer_lag_seconds",
    "Age of the last record taken in, when it was; storage: or of what waits since.",
    ("service", "topic", "partition"),
)
RECORDS_GONE = Counter(
    "balancebus_records_gone_total",
    "Records that the topic no longer held when they were due: lost to retention.",
    ("service", "topic"),
)
RECORDS_REJECTED = Counter(
    "balancebus_records_rejected_total",
    "Records that could not be read, by services that write no dead letters.",
    ("service", "topic"),
)
DEAD_LETTERS = Counter(
    "balancebus_dead_letters_total",
    "Dead letters written.",
    ("service", "reason"),
)

# The metrics service
_BALANCE = ("venue", "account", "subaccount", "wallet", "asset")
BALANCE_HELP = "Balance in units of the asset (a float: for graphs, not for books)."
BALANCE = Gauge("balancebus_balance", BALANCE_HELP, _BALANCE)
BALANCE_AVAILABLE = Gauge(
    "balancebus_balance_available",
    "Free part in units of the asset; no series while it is unknown.",
    _BALANCE,
)
BALANCE_CHANGED = Gauge(
    "balancebus_balance_changed_timestamp_seconds",
    "When the balance last changed, seconds since 1970.",
    _BALANCE,
)
BALANCE_CONFIRMED = Gauge(
    "balancebus_balance_confirmed_timestamp_seconds",
    "When the balance was last known right, seconds since 1970.",
    _BALANCE,
)
BALANCES_NOT_EXPORTED = Gauge(
    "balancebus_balances_not_exported",
    "Balances without series, as METRICS_ASSETS does not name their asset.",
    ("venue", "account", "asset"),
)

PROOF_VERDICT = Gauge(
    "balancebus_proof_verdict",
    "1 for the verdict on the balance, the worst of its wallets, 0 for the others.",
    (*_BALANCE, "verdict"),
)
PROVEN_THROUGH = Gauge(
    "balancebus_proven_through_timestamp_seconds",
    "Up to when the books of the balance are proven; no series if they never were.",
    _BALANCE,
)
PROVEN_WATERMARK = LateGauge(
    "balancebus_proven_watermark_timestamp_seconds",
    "Up to when the books of all accounts are proven; 0 if some never were.",
)

# Proof
PROOFS_PUBLISHED = Counter(
    "balancebus_proofs_published_total", "Verdicts written.", ("verdict",)
)
TRANSIT_AMOUNT = Gauge(
    "balancebus_transit_amount",
    "What has left accounts and is not seen at others yet, in units of the asset.",
    ("asset",),
)
TRANSIT_OLDEST = Gauge(
    "balancebus_transit_oldest_timestamp_seconds",
    "When the oldest transfer in transit left, seconds since 1970.",
    ("asset",),
)

# Alerting
ALERTS_FIRING = Gauge(
    "balancebus_alerts_firing",
    "Alerts that fire or are held, by rule.",
    ("rule", "severity"),
)
NOTIFICATIONS = Counter(
    "balancebus_notifications_total",
    "Alerts handed to a route, by what became of them.",
    ("route", "outcome"),
)
RULES_LOADED = LateGauge(
    "balancebus_rules_loaded_timestamp_seconds",
    "When the rules in use were read, seconds since 1970.",
)
RULES_RELOADS = Counter(
    "balancebus_rules_reloads_total",
    "Readings of the rules file, by outcome: loaded or refused.",
    ("outcome",),
)
