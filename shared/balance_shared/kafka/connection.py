"""How every client connects, and what its errors mean to us."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import structlog
from aiokafka.errors import (
    AuthenticationFailedError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)
from aiokafka.helpers import create_ssl_context
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    wait_random_exponential,
)

from balance_shared.errors import BusInterrupted, PublishError, SettingsError
from balance_shared.settings import PREFIX, ServiceSettings

log = structlog.get_logger(__name__)

_FINAL = (
    AuthenticationFailedError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)


def client_options(settings: ServiceSettings) -> dict[str, Any]:
    """Return the arguments that every aiokafka client takes.

    Raises:
        SettingsError: a file of certificates or keys cannot be used.
    """
    password = settings.kafka_sasl_password
    return {
        "bootstrap_servers": settings.kafka_bootstrap_servers,
        "security_protocol": settings.kafka_security_protocol,
        "sasl_mechanism": settings.kafka_sasl_mechanism,
        "sasl_plain_username": settings.kafka_sasl_username,
        "sasl_plain_password": password.get_secret_value() if password else None,
        "ssl_context": _ssl_context(settings),
        "client_id": "balancebus",
        "metadata_max_age_ms": 30_000,
    }


def _ssl_context(settings: ServiceSettings) -> ssl.SSLContext | None:
    if settings.kafka_security_protocol not in {"SSL", "SASL_SSL"}:
        return None
    files = {
        "ca": settings.kafka_ssl_ca_file,
        "cert": settings.kafka_ssl_cert_file,
        "key": settings.kafka_ssl_key_file,
    }
    given = {name: str(path) for name, path in files.items() if path}
    try:
        context: ssl.SSLContext = create_ssl_context(
            **{f"{name}file": path for name, path in given.items()}
        )
    except OSError as error:  # as ssl.SSLError is
        listed = ", ".join(
            f"{PREFIX}KAFKA_SSL_{name.upper()}_FILE ({path})"
            for name, path in given.items()
        )
        raise SettingsError(f"cannot use {listed}: {error.strerror}") from error
    return context


@contextmanager
def translated() -> Iterator[None]:
    """Turn aiokafka's errors into ours.

    When a broker goes away aiokafka sometimes cancels what waits for it. That is no
    request to stop: whoever was not asked to stop gets `BusInterrupted`.
    """
    try:
        yield
    except KafkaError as error:
        raise translate(error) from error
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise BusInterrupted("Kafka: the client gave up what was asked") from error


@asynccontextmanager
async def answering(
    settings: ServiceSettings, patience_s: float | None
) -> AsyncIterator[None]:
    """Give up on what waits for Kafka, where somebody waits for an answer.

    Args:
        settings: where Kafka is.
        patience_s: how long it may take, in seconds; None: for ever.

    Raises:
        BusInterrupted: it took longer.
    """
    try:
        async with asyncio.timeout(patience_s):
            yield
    except TimeoutError:
        where = settings.kafka_bootstrap_servers
        raise BusInterrupted(f"Kafka at {where} does not answer") from None


STOP_S_MAX = 5.0
"""How long a client may take to leave, in seconds."""


async def started(client: Any) -> None:
    """Start an aiokafka client; whoever is cancelled meanwhile waits until it is up.

    A start that is broken off would leave its first connection open for good.
    """
    starting = asyncio.ensure_future(client.start())
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait({starting}, timeout=STOP_S_MAX)
        starting.cancel()
        raise


async def stopped(client: Any) -> None:
    """Stop an aiokafka client; one that does not find its broker is just left.

    Whoever is cancelled meanwhile is: ``asyncio.wait_for`` may hide that (Python 3.11).
    """
    stopping = asyncio.ensure_future(client.stop())
    try:
        done, _ = await asyncio.wait({stopping}, timeout=STOP_S_MAX)
    finally:
        stopping.cancel()
    with suppress(BusInterrupted, PublishError), translated():
        for task in done:
            task.result()


def translate(error: KafkaError) -> BusInterrupted | PublishError:
    """Return our error for one of aiokafka's: final ones end the process."""
    text = f"Kafka: {type(error).__name__}: {error}"
    return PublishError(text) if isinstance(error, _FINAL) else BusInterrupted(text)


async def until_reachable(what: str, connect: Callable[[], Awaitable[None]]) -> None:
    """Connect, however long it takes until Kafka answers.

    Args:
        what: says in the log who waits.
        connect: tries once; called again after each failure that passes.

    Raises:
        PublishError: waiting does not mend it (no permission).
    """

    def passing(error: BaseException) -> bool:
        return isinstance(error, (KafkaError, OSError)) and not isinstance(
            error, _FINAL
        )

    def note(state: RetryCallState) -> None:
        outcome = state.outcome.exception() if state.outcome else None
        log.warning("kafka_unreachable", what=what, error=repr(outcome))

    retrying = AsyncRetrying(
        wait=wait_random_exponential(multiplier=0.2, max=5),
        retry=retry_if_exception(passing),
        before_sleep=note,
        reraise=True,
    )
    try:
        await retrying(connect)
    except KafkaError as error:
        raise translate(error) from error
