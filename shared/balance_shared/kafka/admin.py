"""Topics: create what is missing, correct what differs, refuse the rest."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from balance_schemas.topics import TOPICS, Topic
from balance_shared.errors import PublishError
from balance_shared.kafka.connection import (
    answering,
    client_options,
    started,
    translate,
    until_reachable,
)
from balance_shared.settings import ServiceSettings

REPLICATION_MAX = 3
"""Copies of each partition where there are brokers enough and no setting says else."""

_SET_ON_TOPIC = 1
"""Kafka's mark of a topic setting that somebody made, as against a default."""

_RETENTION = "retention.ms"
_FOR_EVER = "-1"


async def apply_topics(
    settings: ServiceSettings,
    topics: Sequence[Topic] = TOPICS,
    *,
    correct: bool = True,
    patience_s: float | None = None,
) -> list[str]:
    """Make the topics what the contract says; safe to run again.

    Args:
        settings: where Kafka is; prefix, partitions and replication.
        topics: which topics.
        correct: also change settings of topics that are there, but never to keep
            records for a shorter time. Services that start only create what is missing.
        patience_s: how long Kafka may take until it first answers, in seconds; None:
            for ever, as services wait.

    Returns:
        One line for each change made; empty if all was right.

    Raises:
        PublishError: something that cannot be mended without loss: topics whose
            partition numbers differ (an account's records would part company), or
            Kafka refuses the change.
        BusInterrupted: Kafka does not answer.
    """
    async with _admin(settings, patience_s) as admin:
        present = await _partitions(admin, settings, topics)
        changes = await _create(admin, settings, topics, present)
        if correct:
            for topic in topics:
                if topic.name in present:
                    changes += await _correct(admin, settings, topic)
        _refuse_uneven(settings, await _partitions(admin, settings, topics))
    return changes


@asynccontextmanager
async def _admin(
    settings: ServiceSettings, patience_s: float | None
) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**client_options(settings), request_timeout_ms=30_000)
    try:
        async with answering(settings, patience_s):
            await until_reachable("topics", partial(started, admin))
        yield admin
    except KafkaError as error:
        raise translate(error) from error
    finally:
        await admin.close()


async def _partitions(
    admin: AIOKafkaAdminClient, settings: ServiceSettings, topics: Sequence[Topic]
) -> dict[str, int]:
    """Return name → number of partitions of those topics that are there."""
    names = {topic.full_name(settings.topic_prefix): topic.name for topic in topics}
    found = set(await admin.list_topics()) & set(names)
    described = await admin.describe_topics(sorted(found)) if found else []
    return {names[topic["topic"]]: len(topic["partitions"]) for topic in described}


async def _create(
    admin: AIOKafkaAdminClient,
    settings: ServiceSettings,
    topics: Sequence[Topic],
    present: dict[str, int],
) -> list[str]:
    missing = [topic for topic in topics if topic.name not in present]
    if not missing:
        return []
    partitions = next(iter(present.values()), settings.topic_partitions)
    replication = await _replication(admin, settings)
    new = [
        NewTopic(
            topic.full_name(settings.topic_prefix),
            partitions,
            replication,
            topic_configs=topic.config(),
        )
        for topic in missing
    ]
    answer = await admin.create_topics(new)
    return [
        f"created {name}: {partitions} partitions, {replication} replicas"
        for name, code, *details in answer.topic_errors
        if _created(name, code, details)
    ]


def _created(name: str, code: int, details: Sequence[Any]) -> bool:
    """Return False where another process was faster; raise what Kafka refuses."""
    error = for_code(code)
    if error is TopicAlreadyExistsError:
        return False
    if code != 0:
        said = next((str(detail) for detail in details if detail), "")
        raise PublishError(f"cannot create topic {name}: {error.__name__} {said}")
    return True


async def _replication(admin: AIOKafkaAdminClient, settings: ServiceSettings) -> int:
    if settings.topic_replication is not None:
        return settings.topic_replication
    brokers = len((await admin.describe_cluster())["brokers"])
    return min(REPLICATION_MAX, brokers)


async def _correct(
    admin: AIOKafkaAdminClient, settings: ServiceSettings, topic: Topic
) -> list[str]:
    """Set what falls short of the contract; settings of other people's stay."""
    name = topic.full_name(settings.topic_prefix)
    (answer,) = await admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, name)]
    )
    (resource,) = answer.resources
    entries = {entry[0]: (entry[1], entry[3]) for entry in resource[4]}
    wrong = {
        key: value
        for key, value in topic.config().items()
        if not _suffices(key, entries.get(key, (None, 0))[0], value)
    }
    if not wrong:
        return []
    made = {key: value for key, (value, at) in entries.items() if at == _SET_ON_TOPIC}
    resource = ConfigResource(ConfigResourceType.TOPIC, name, configs=made | wrong)
    for changed in await admin.alter_configs([resource]):
        for code, message, *_ in changed.resources:
            if code != 0:
                raise PublishError(f"cannot change topic {name}: {message}")
    return [
        f"changed {name}: {key} from {entries.get(key, ('unset',))[0]} to {value}"
        for key, value in wrong.items()
    ]


def _suffices(key: str, found: str | None, wanted: str) -> bool:
    """Whether a setting may stay; to shorten how long records are kept deletes them."""
    if key == _RETENTION and found is not None:
        return found == _FOR_EVER or int(found) >= int(wanted)
    return found == wanted


def _refuse_uneven(settings: ServiceSettings, partitions: dict[str, int]) -> None:
    if len(set(partitions.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in partitions.items())
        raise PublishError(
            f"topics {settings.topic_prefix}.*.v1 have different numbers of partitions "
            f"({listed}): one account's records would not lie side by side. "
            "Delete the odd ones, or move to a new TOPIC_PREFIX."
        )
