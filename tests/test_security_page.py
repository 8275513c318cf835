"""docs/security.md names a test for each line; here each of those is looked for."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "security.md").read_text()
HELD = TEXT[TEXT.index("## What holds") : TEXT.index("## What does not hold")]
ROW = re.compile(r"^\| (?!what holds|-)(.+) \|$", re.MULTILINE)


def test_every_line_names_tests_that_are_there() -> None:
    """A file alone stands for all of its tests; `::name` without a file is of the file before."""
    rows = ROW.findall(HELD)
    assert len(rows) > 100
    for row in rows:
        shown = row.rpartition(" | ")[2]
        file = None
        for path, name in re.findall(r"(tests/[\w/]+\.py)?(?:::(\w+))?", shown):
            if path:
                file = ROOT / path
                assert file.exists(), row
            if name:
                assert file is not None and re.search(rf"\bdef {name}\b", file.read_text()), (row, name)
        assert file is not None or shown.startswith("the "), row
