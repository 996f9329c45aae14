"""How every client connects, and what its errors mean to us."""

import ssl
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

from balance_shared.errors import BusInterrupted, PublishError
from balance_shared.settings import ServiceSettings

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
    """Return the arguments that every aiokafka client takes."""
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
    if "SSL" not in settings.kafka_security_protocol.split("_")[-1]:
        return None

    def text(path: object) -> str | None:
        return str(path) if path else None

    context: ssl.SSLContext = create_ssl_context(
        cafile=text(settings.kafka_ssl_ca_file),
        certfile=text(settings.kafka_ssl_cert_file),
        keyfile=text(settings.kafka_ssl_key_file),
    )
    return context


def translate(error: KafkaError) -> BusInterrupted | PublishError:
    """Return our error for one of aiokafka's: final ones end the process."""
    text = f"Kafka: {type(error).__name__}: {error}"
    return PublishError(text) if isinstance(error, _FINAL) else BusInterrupted(text)


def until_reachable(what: str) -> AsyncRetrying:
    """Return the retry policy of a start: wait for Kafka as long as it takes.

    Errors that waiting cannot mend (authorization) are raised at once.
    """

    def passing(error: BaseException) -> bool:
        return isinstance(error, (KafkaError, OSError)) and not isinstance(
            error, _FINAL
        )

    def note(state: RetryCallState) -> None:
        outcome = state.outcome.exception() if state.outcome else None
        log.warning("kafka_unreachable", what=what, error=repr(outcome))

    return AsyncRetrying(
        wait=wait_random_exponential(multiplier=0.2, max=5),
        retry=retry_if_exception(passing),
        before_sleep=note,
        reraise=True,
    )
