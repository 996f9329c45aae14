"""Which parts the environment names."""

import pytest

from balance_stack.endpoints import local_endpoints, named_endpoints
from balance_stack.errors import StackRefused

LOCAL = local_endpoints((9092, 9093), 8081, 5432)


def test_the_environment_reads_back() -> None:
    """What a stack tells other programs is what they find."""
    assert named_endpoints(LOCAL.environment()) == LOCAL


def test_local_endpoints_follow_the_contract() -> None:
    """Addresses have the forms that the services expect."""
    assert LOCAL.environment() == {
        "BALANCEBUS_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092,127.0.0.1:9093",
        "BALANCEBUS_SCHEMA_REGISTRY_URL": "http://127.0.0.1:8081/apis/ccompat/v7",
        "BALANCEBUS_POSTGRES_DSN": "postgresql://postgres@127.0.0.1:5432/balancebus",
    }


def test_an_environment_without_names_gives_none() -> None:
    """Other variables do not matter."""
    assert named_endpoints({"HOME": "/"}) is None


def test_half_an_environment_is_refused() -> None:
    """The error names what is missing."""
    some = LOCAL.environment()
    del some["BALANCEBUS_POSTGRES_DSN"]
    with pytest.raises(StackRefused, match="BALANCEBUS_POSTGRES_DSN"):
        named_endpoints(some)
