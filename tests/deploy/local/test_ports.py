"""Choosing and refusing ports."""

import random
import socket
from collections.abc import Iterator

import pytest

from balance_stack.errors import StackRefused
from balance_stack.ports import Ports, fixed_ports, free_ports


@pytest.fixture
def taken() -> Iterator[int]:
    """Give a port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_free_ports_are_distinct() -> None:
    """No two parts get one port."""
    ports = free_ports(brokers=3)
    every = [*ports.kafka, *ports.controllers, ports.registry, ports.postgres]
    assert len(set(every)) == 8


@pytest.mark.parametrize("option", ["kafka", "registry", "postgres"])
def test_a_taken_port_is_refused(option: str, taken: int) -> None:
    """The error names the port and the option that chooses another."""
    free = free_ports(brokers=1)
    wanted = {
        "kafka": free.kafka[0],
        "registry": free.registry,
        "postgres": free.postgres,
    }
    with pytest.raises(StackRefused, match=f"port {taken} .* --{option}-port"):
        fixed_ports(1, **wanted | {option: taken})


def test_one_port_for_two_parts_is_refused() -> None:
    """Asking for the same port twice is refused before anything starts."""
    free = free_ports(brokers=1)
    with pytest.raises(StackRefused, match=str(free.registry)):
        fixed_ports(1, free.kafka[0], free.registry, free.registry)


def test_ports_read_back_from_json() -> None:
    """The state file gives the same ports again."""
    ports = free_ports(brokers=2)
    assert ports == Ports.from_json(ports.to_json())


def test_a_seed_gives_no_two_stacks_the_same_ports() -> None:
    """Tests that run side by side start with the same seed."""
    random.seed(1)
    one = free_ports(1)
    random.seed(1)
    assert one != free_ports(1)
