"""What is installed is what was pinned, by hash; and the bill of materials names all of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.supply import bill, pinned
from tests.vendored import LIST, VENDOR

ROOT = Path(__file__).resolve().parent.parent
LOCKS = sorted(ROOT.glob("requirements*.txt"))


def test_there_are_three_locks() -> None:
    assert [lock.name for lock in LOCKS] == [
        "requirements-bench.txt",
        "requirements-dev.txt",
        "requirements.txt",
    ]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_requirement_is_pinned_by_hash(lock: Path) -> None:
    """Each has a version and a SHA-256 at least, and each that its list names is there."""
    found = pinned(lock.read_text())
    assert len(found) > 10
    for each in found:
        assert each.hashes, f"{each.name} has no hash"
    wanted = re.findall(r"^([a-zA-Z0-9][a-zA-Z0-9\-]*)", lock.with_suffix(".in").read_text(), re.MULTILINE)
    assert {name.lower() for name in wanted} <= {each.name for each in found}


def test_a_line_that_is_not_pinned_is_told() -> None:
    for line in (
        "tornado",
        "tornado>=6",
        "tornado @ https://example.org/x.whl",
        "--index-url https://example.org",
    ):
        with pytest.raises(ValueError, match="expected a pinned requirement"):
            pinned(f"{line}\n")


def test_nothing_is_installed_without_its_hash() -> None:
    """Every recipe that installs a lock asks pip for the hashes."""
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^INSTALL = .*--require-hashes$", makefile, re.MULTILINE)
    assert (
        len(re.findall(r"-r requirements\S*\.txt", makefile))
        == makefile.count("@$(INSTALL) -r ")
        == len(LOCKS)
    )


def test_the_bill_names_everything() -> None:
    """Every pinned package and vendored library, with version and hashes, and a licence where it is installed."""
    made = bill()
    json.dumps(made)
    references = [component["bom-ref"] for component in made["components"]]
    assert len(set(references)) == len(references)
    packages = pinned((ROOT / "requirements.txt").read_text())
    libraries = json.loads((VENDOR / LIST).read_text())
    assert len(references) == len(packages) + len(libraries)
    for package in packages:
        assert f"pkg:pypi/{package.name}@{package.version}" in references
    by_name = {component["name"]: component for component in made["components"]}
    for library in libraries:
        files = {
            file["name"]: file["hashes"][0]["content"] for file in by_name[library["name"]]["components"]
        }
        assert files == library["files"]
    assert by_name["tornado"]["licenses"] == [{"license": {"name": "Apache-2.0"}}]
    unlicensed = [name for name, component in by_name.items() if "licenses" not in component]
    assert set(unlicensed) <= {package.name for package in packages if package.marker}
