"""The vendored libraries are what `vendor.json` says, and the check of that can fail."""

from __future__ import annotations

import json
from pathlib import Path

from tests.vendored import LIST, VENDOR, complaints

NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # SHA-256 of no bytes


def test_every_vendored_file_is_the_one_listed() -> None:
    assert complaints(VENDOR) == []


def test_a_changed_a_missing_and_an_unlisted_file_are_told(tmp_path: Path) -> None:
    files = {"lib-1/LICENSE": NOTHING, "lib-1/a.js": NOTHING, "lib-1/gone.js": NOTHING}
    (tmp_path / LIST).write_text(json.dumps([{"name": "lib", "version": "1", "files": files}]))
    (tmp_path / "lib-1").mkdir()
    (tmp_path / "lib-1" / "LICENSE").touch()
    (tmp_path / "lib-1" / "a.js").write_text("changed")
    (tmp_path / "lib-1" / "b.js").touch()

    changed, missing, unlisted = complaints(tmp_path)
    assert changed.startswith(f"lib-1/a.js: expected {NOTHING}")
    assert missing == "lib-1/gone.js is listed and missing"
    assert unlisted == "lib-1/b.js is there and not listed"


def test_a_library_without_a_licence_is_told(tmp_path: Path) -> None:
    (tmp_path / LIST).write_text(json.dumps([{"name": "lib", "version": "1", "files": {}}]))
    assert complaints(tmp_path) == ["lib lists no LICENSE"]
