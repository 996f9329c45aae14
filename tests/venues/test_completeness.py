"""A venue is there whole or not at all: code, tests, frames, stand-in, page, deployment.

What each part is for says CONTRIBUTING, "Add a venue".
"""

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest
from dialects import DIALECTS

from balance_connector.venues import VENUES
from balance_simulator.stand_ins import STAND_INS

ROOT = Path(__file__).parents[2]
CONNECTOR = ROOT / "services" / "balance_connector"
TESTS = ROOT / "tests" / "services" / "balance_connector" / "venues"
DATA = ROOT / "tests" / "data"
STARTS = r"(?:command: |args: \[)connector[, ]+([\w-]+)"

each_venue = pytest.mark.parametrize("name", VENUES)


def text_of(file: Path) -> str:
    """Return what is in a file."""
    return file.read_text(encoding="utf-8")


def folder_of(name: str) -> str:
    """Return the folder that a venue's code is in; two rows may share one."""
    package, _, module = VENUES[name].options.__module__.partition(".venues.")
    assert "balance_connector" == package
    return module.split(".")[0]


def folders(place: Path) -> set[str]:
    """Return the names of the folders in a place that hold code."""
    return {
        folder.name
        for folder in place.iterdir()
        if folder.is_dir() and any(folder.glob("*.py"))
    }


def connectors_in(*files: Path) -> list[str]:
    """Return the venues whose connectors some files start."""
    return re.findall(STARTS, "\n".join(text_of(file) for file in files))


@each_venue
def test_row_is_under_its_name(name):
    """The command's word, the key's first part and the row's name are one."""
    assert name == VENUES[name].name


@each_venue
def test_code_is_in_a_folder(name):
    """What a venue is made of lies together, and nowhere else."""
    assert folder_of(name) in folders(CONNECTOR / "venues")


@each_venue
def test_code_has_tests(name):
    """The folder's tests mirror it."""
    assert list((TESTS / folder_of(name)).glob("test_*.py"))


@each_venue
def test_frames_have_sources(name):
    """Frames are documented or captured: a page says where each is from."""
    source = DATA / name / "SOURCE.md"
    named = re.findall(r"`([^`\s]+)`", text_of(source))
    frames = [file.name for file in source.parent.iterdir() if file != source]
    assert frames
    assert not [
        frame for frame in frames if not any(fnmatch(frame, one) for one in named)
    ]


@each_venue
def test_dialect_is_spoken(name):
    """The conformance kit, the table of faults and the random hours run it."""
    assert name == DIALECTS[name].name


@each_venue
def test_stand_in_is_there(name):
    """Tests and demo have somebody to talk to, of the same name."""
    stand_in = STAND_INS[name]
    assert name == stand_in.venue(stand_in.settings()).name


@each_venue
def test_page_is_there(name):
    """Its page names the key's permissions and is linked from the README."""
    page = ROOT / "docs" / "venues" / f"{name}.md"
    titles = re.findall(r"^## (.+)$", text_of(page), re.MULTILINE)
    assert ["What is published", "The key", "Settings"] == titles[:3]
    assert f"docs/venues/{name}.md" in text_of(ROOT / "README.md")


def test_compose_starts_every_venue():
    """One block for each venue's connector."""
    assert sorted(VENUES) == sorted(connectors_in(ROOT / "docker-compose.yml"))


def test_kubernetes_starts_every_venue():
    """One Deployment for each venue's connector."""
    files = (ROOT / "deploy" / "kubernetes").rglob("*.yaml")
    assert sorted(VENUES) == sorted(connectors_in(*files))


def test_every_folder_is_used():
    """No code lies about that no row leads to."""
    used = {folder_of(name) for name in VENUES}
    assert used == folders(CONNECTOR / "venues")
    assert used == folders(TESTS)


def test_nothing_is_left_of_a_venue_without_a_row():
    """Frames, dialects and pages belong to a row; stand-ins may come first."""
    names = set(VENUES)
    assert names == {place.name for place in DATA.iterdir() if place.is_dir()}
    assert names == set(DIALECTS)
    assert names == {page.stem for page in (ROOT / "docs" / "venues").glob("*.md")}


def test_runners_know_no_venue_by_name():
    """What a venue needs is said in its row: no other file mentions it."""
    names = {*VENUES, *(folder_of(name) for name in VENUES)}
    spelled = "|".join(r"[\W_]?".join(name) for name in sorted(names))
    mentioned = re.compile(rf"(?<![a-z])(?:{spelled})", re.IGNORECASE)
    for file in CONNECTOR.rglob("*"):
        within = file.relative_to(CONNECTOR).parts
        if file.is_file() and within[0] != "venues" and "__pycache__" not in within:
            assert not mentioned.findall(text_of(file)), file.name
