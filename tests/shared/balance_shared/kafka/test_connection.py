"""How clients connect, and what Kafka's errors mean."""

import asyncio

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from balance_shared.errors import BusInterrupted, PublishError, SettingsError
from balance_shared.kafka.connection import (
    answering,
    client_options,
    started,
    stopped,
    translate,
    until_reachable,
)
from balance_shared.settings import ServiceSettings


def test_plain_connection_needs_no_certificates():
    """A developer's Kafka speaks plain text."""
    options = client_options(ServiceSettings(kafka_bootstrap_servers="a:1,b:2"))
    assert options["bootstrap_servers"] == "a:1,b:2"
    assert options["ssl_context"] is None
    assert options["sasl_plain_password"] is None


async def test_who_waits_for_an_answer_is_told_that_there_is_none():
    """The line says where Kafka should be; without patience one waits for ever."""
    settings = ServiceSettings(kafka_bootstrap_servers="a:1,b:2")
    with pytest.raises(BusInterrupted, match=r"^Kafka at a:1,b:2 does not answer$"):
        async with answering(settings, 0.01):
            await asyncio.sleep(60)
    async with answering(settings, None):
        await asyncio.sleep(0)


def test_secured_connection_checks_who_answers():
    """Names and certificates are verified, and the password reaches the client."""
    settings = ServiceSettings(
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_username="me",
        kafka_sasl_password="hush",
    )
    options = client_options(settings)
    assert options["ssl_context"].check_hostname
    assert options["ssl_context"].verify_mode.name == "CERT_REQUIRED"
    assert options["sasl_plain_password"] == "hush"


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_unusable_certificate_is_a_setting_to_change(tmp_path, content):
    """It is told by name; nobody waits for a file as for a broker."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    settings = ServiceSettings(kafka_security_protocol="SSL", kafka_ssl_ca_file=path)
    with pytest.raises(
        SettingsError, match=r"BALANCEBUS_KAFKA_SSL_CA_FILE \(.*ca\.pem"
    ):
        client_options(settings)


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (KafkaConnectionError("gone"), BusInterrupted),
        (KafkaTimeoutError("slow"), BusInterrupted),
        (UnknownTopicOrPartitionError("new"), BusInterrupted),
        (TopicAuthorizationFailedError("events"), PublishError),
        (MessageSizeTooLargeError("1"), PublishError),
    ],
)
def test_errors_are_final_or_pass(error, ours):
    """Only what waiting cannot mend ends the process."""
    translated = translate(error)
    assert ours is type(translated)
    assert type(error).__name__ in str(translated)


async def test_start_waits_for_what_passes():
    """An unreachable broker is tried again until it answers."""
    failures = [KafkaConnectionError("gone"), OSError("no route")]

    async def connect():
        if failures:
            raise failures.pop()

    await until_reachable("test", connect)
    assert not failures


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (TopicAuthorizationFailedError("events"), PublishError),
        (SettingsError("no such file"), SettingsError),
        (ZeroDivisionError(), ZeroDivisionError),
    ],
)
async def test_start_does_not_wait_for_what_stays(error, raised):
    """Missing permissions, bad settings and bugs are raised at once."""

    async def connect():
        raise error

    with pytest.raises(raised):
        await until_reachable("test", connect)


async def test_cancelled_start_is_let_finish():
    """A client that opened a connection is up, and can be stopped, before we go."""
    opened, go_on, steps = asyncio.Event(), asyncio.Event(), []

    class Client:
        async def start(self):
            opened.set()
            await go_on.wait()
            steps.append("up")

    starting = asyncio.create_task(started(Client()))
    await opened.wait()
    starting.cancel()
    asyncio.get_running_loop().call_soon(go_on.set)
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert ["up"] == steps


async def test_cancelled_stop_is_a_cancel_whenever_it_comes():
    """Not even in the moment in which the client has stopped is it lost."""
    for turns in range(8):
        released = asyncio.Event()

        class Client:
            async def stop(self, released=released):
                await released.wait()

        task = asyncio.create_task(stopped(Client()))
        await asyncio.sleep(0)
        released.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        if not task.done():
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


@pytest.mark.parametrize(
    "error", [None, KafkaConnectionError(), asyncio.CancelledError()]
)
async def test_stop_never_fails(error):
    """A client that cannot leave in order is left."""

    class Client:
        async def stop(self):
            if error is not None:
                raise error

    await stopped(Client())
