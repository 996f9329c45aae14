"""A file is read whole, or told what is wrong with it."""

import pytest

from balance_alerting.rules_file import errors_in, read_file
from balance_shared.errors import SettingsError


def test_errors_name_file_and_line(tmp_path):
    """However many there are."""
    file = tmp_path / "rules.yaml"
    lines = [f"  - {{name: r{n}, type: nothing}}" for n in range(200)]
    file.write_text("rules:\n" + "\n".join(lines))
    found = errors_in(file)
    assert 200 == len(found)
    assert found[0].startswith(f"{file}:2: rule r0: unknown type 'nothing'")
    with pytest.raises(SettingsError, match=r"rules.yaml:2: rule r0"):
        read_file(file)


def test_files_that_cannot_be_read_are_told(tmp_path):
    """Not there, or not text."""
    (tmp_path / "bytes").write_bytes(b"\xff")
    assert [f"{tmp_path}/none: No such file or directory"] == errors_in(
        tmp_path / "none"
    )
    assert [f"{tmp_path}/bytes: is not UTF-8 text"] == errors_in(tmp_path / "bytes")


def test_right_rules_have_no_errors(tmp_path):
    """And are read."""
    file = tmp_path / "rules.yaml"
    file.write_text("rules: [{name: a, type: negative}]")
    assert [] == errors_in(file)
    assert "a" == read_file(file).rules.rules[0].name
