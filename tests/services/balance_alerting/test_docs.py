"""`docs/alerting.md` lists the cases of the tests, and no others."""

from pathlib import Path

from alert_cases import CASES

DOC = Path(__file__).parents[3] / "docs" / "alerting.md"


def listed():
    """Return type → (what fires, what is silent) as the table has it."""
    found = {}
    for line in DOC.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if len(cells) == 3 and cells[0].strip("`") in {case.type for case in CASES}:
            found[cells[0].strip("`")] = cells[1].split("; "), cells[2].split("; ")
    return found


def test_table_lists_every_case():
    """In both columns, in the order of the tests."""
    wanted = {}
    for case in CASES:
        both = wanted.setdefault(case.type, ([], []))
        both[0 if case.fires else 1].append(case.says)
    assert wanted == listed()
