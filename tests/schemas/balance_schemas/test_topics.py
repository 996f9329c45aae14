"""The topics are those of the contract."""

import pytest

from balance_schemas.topics import DAY_MS, TOPICS

CONTRACT = {
    "balances.events.v1": ("BalanceEvent", "delete", 30),
    "balances.latest.v1": ("BalanceEvent", "compact", None),
    "balances.frames.v1": ("RawFrame", "delete", 7),
    "balances.status.v1": ("ConnectorStatus", "compact", None),
    "balances.reconciliations.v1": ("Reconciliation", "delete", 30),
    "balances.proofs.v1": ("BalanceProof", "compact", None),
    "balances.acknowledgements.v1": ("Acknowledgement", "compact", None),
    "balances.alerts.v1": ("Alert", "compact", None),
    "balances.dead-letters.v1": ("DeadLetter", "delete", 30),
}
"""Topic → type of its values, cleanup, days that it is kept."""

DAY_MS_EXPECTED = 86_400_000


def test_topics_are_those_of_the_contract():
    """Names, values and cleanup, in the contract's order."""
    found = {
        topic.full_name("balances"): (
            topic.record.__name__,
            topic.cleanup,
            topic.retention_ms and topic.retention_ms / DAY_MS_EXPECTED,
        )
        for topic in TOPICS
    }
    assert CONTRACT == found
    assert list(CONTRACT) == list(found)
    assert DAY_MS_EXPECTED == DAY_MS


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_subject_is_the_topic_and_value(topic):
    """As Confluent's topic name strategy has it."""
    assert f"{topic.full_name('x.y')}-value" == topic.subject("x.y")
    assert topic.description


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_broker_settings_say_how_it_is_kept(topic):
    """Kept for a time, or the last of each key; never both."""
    config = topic.config()
    assert topic.cleanup == config.pop("cleanup.policy")
    kept = {"retention.ms": str(topic.retention_ms)} if topic.retention_ms else {}
    assert kept == config
    assert (topic.cleanup == "compact") == (not kept)
