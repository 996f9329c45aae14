"""Puts the helpers of processes and of storing on the path; gives tables."""

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from balance_stack.running import RunningStack, running_stack
from balance_storage.schema import migrate

sys.path.insert(0, str(Path(__file__).parents[1] / "end_to_end"))
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def shared_stack(tmp_path_factory) -> Iterator[RunningStack]:
    """Give the real parts as they are after a while, not quick to start."""
    with running_stack(tmp_path_factory.mktemp("stack"), quiet=True) as running:
        yield running


@pytest.fixture
def tables(stack) -> Iterator[str]:
    """Give a database of one's own, with the tables."""
    name = f"bench_{uuid.uuid4().hex}"
    server = stack.endpoints.postgres_dsn
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    own = make_conninfo(server, dbname=name)
    migrate(own)
    yield own
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
