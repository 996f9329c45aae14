"""What all tests share: the real Kafka, registry and PostgreSQL, started once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from balance_stack.running import RunningStack, running_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Give the real parts, started on first use and shared by all tests."""
    directory: Path = tmp_path_factory.mktemp("stack")
    with running_stack(directory, quiet=True) as running:
        yield running
