"""How far behind storage is can be seen while nothing can be stored."""

import time
from contextlib import contextmanager

import psycopg
import pytest
from prometheus_client import REGISTRY
from psycopg.conninfo import conninfo_to_dict

from balance_schemas.topics import EVENTS
from balance_shared.errors import SettingsError
from balance_shared.kafka import Incoming
from balance_shared.settings import StorageSettings
from balance_storage.lag import Lag

HERE, THERE = ("lag_test", 0), ("lag_test", 1)


def shown(what, place):
    """Return what a metric of lag says of a partition; None: nothing."""
    topic, partition = place
    labels = {"service": "storage", "topic": topic, "partition": str(partition)}
    return REGISTRY.get_sample_value(f"balancebus_consumer_lag_{what}", labels)


def batch(*times):
    """Return records of one partition, written at these times."""
    records = [
        Incoming(*HERE, offset, None, None, int(at * 1000))
        for offset, at in enumerate(times)
    ]
    return {HERE: records}


@pytest.fixture
def lag():
    """Give the lag of an instance that has two partitions."""
    lag = Lag(StorageSettings(postgres_dsn="-"), [])
    lag.assigned({HERE: 0, THERE: 5})
    yield lag
    lag.assigned({})


def test_what_waits_grows_older(lag):
    """Of a partition that is stored to its end nothing waits."""
    lag.taken(batch(time.time() - 100))
    assert 100 <= shown("seconds", HERE) < 110
    lag._show({HERE: 3, THERE: 5})
    assert (2, 0) == (shown("records", HERE), shown("records", THERE))
    assert 100 <= shown("seconds", HERE) < 110
    lag._complete[HERE] -= 50
    lag._show({HERE: 4})
    assert 3 == shown("records", HERE)
    assert 150 <= shown("seconds", HERE) < 160
    assert shown("seconds", THERE) is None


def test_quiet_hours_are_no_lag(lag):
    """A record that comes after hours without any has waited since then only."""
    lag.taken(batch(time.time() - 9000))
    lag.shown({HERE: 0})
    lag._show({HERE: 2})
    assert 1 == shown("records", HERE)
    assert shown("seconds", HERE) < 10


def test_partitions_that_go_away_show_nothing(lag):
    """Another instance tells of them now."""
    lag._show({HERE: 3, THERE: 9})
    lag.assigned({HERE: 3})
    lag.moved({HERE: 1, THERE: 9})
    lag._show({HERE: 3, THERE: 10})
    assert (2, None) == (shown("records", HERE), shown("records", THERE))
    assert shown("seconds", THERE) is None


async def test_what_fails_beside_is_told_as_it_is(lag):
    """Settings that are wrong end the service as they did."""
    with pytest.raises(SettingsError, match="wrong") as caught:
        async with lag.watched():
            raise SettingsError("wrong") from ValueError("why")
    assert isinstance(caught.value.__cause__, ValueError)


@contextmanager
def closed(stack, dsn):
    """Let nobody into a database, and end who is in it."""
    name = conninfo_to_dict(dsn)["dbname"]
    with psycopg.connect(stack.endpoints.postgres_dsn, autocommit=True) as server:
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            (name,),
        )
        try:
            yield
        finally:
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


@pytest.mark.integration
async def test_lag_rises_while_the_database_is_gone(bus, stack, make_event, until):
    """Whoever looks at lag alone learns that nothing is stored."""
    events = [make_event(event_id=f"id-{number}") for number in range(30)]
    dsn = bus.settings.postgres_dsn.get_secret_value()
    topic = EVENTS.full_name(bus.settings.topic_prefix)

    def most(what):
        return max(shown(what, (topic, one)) or 0 for one in range(4))

    async with bus.instance() as parts:
        await bus.publish(events[:10])
        await bus.until_taken(10)
        await until(lambda: not parts.missing())
        with closed(stack, dsn):
            await bus.publish(events[10:])
            await until(lambda: "database" in parts.missing())
            await until(lambda: most("records") == 20)
            before = most("seconds")
            await until(lambda: most("seconds") > before + 2)
        await bus.until_taken(30)
        await until(lambda: most("records") == 0)


@pytest.mark.integration
async def test_lag_rises_while_the_database_does_not_answer(
    bus, make_event, until, monkeypatch
):
    """A session that waits shows nothing, and is not waited for."""
    monkeypatch.setattr("balance_storage.lag.SILENT_S_MAX", 1.0)
    events = [make_event(event_id=f"id-{number}") for number in range(30)]
    dsn = bus.settings.postgres_dsn.get_secret_value()
    topic = EVENTS.full_name(bus.settings.topic_prefix)

    def waiting():
        return sum(shown("records", (topic, one)) or 0 for one in range(4))

    async with bus.instance():
        await bus.publish(events[:10])
        await bus.until_taken(10)
        with psycopg.connect(dsn) as other:
            other.execute("LOCK TABLE balancebus.consumer_offsets")
            await bus.publish(events[10:])
            await until(lambda: waiting() == 20)
        await bus.until_taken(30)
        await until(lambda: waiting() == 0)
