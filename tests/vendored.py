"""Are the vendored libraries the files that were reviewed? `static/vendor/vendor.json` lists them.

Run by `make check` as a program, and by the tests.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

VENDOR = Path(__file__).resolve().parent.parent / "static" / "vendor"
LIST = "vendor.json"


def complaints(folder: Path) -> list[str]:
    """A sentence for each listed file that is missing or changed, each unlisted one, each lack of a licence."""
    found = []
    listed = set()
    for library in json.loads((folder / LIST).read_text("utf-8")):
        name, files = library["name"], library["files"]
        if not any(Path(path).name.startswith("LICENSE") for path in files):
            found.append(f"{name} lists no LICENSE")
        for path, expected in files.items():
            listed.add(path)
            if not path.startswith(f"{name}-{library['version']}/"):
                found.append(f"{path} is not in the folder of {name} {library['version']}")
            if not (folder / path).is_file():
                found.append(f"{path} is listed and missing")
            elif (got := hashlib.sha256((folder / path).read_bytes()).hexdigest()) != expected:
                found.append(f"{path}: expected {expected}, got {got}")
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    found += [f"{path} is there and not listed" for path in sorted(there - listed - {LIST})]
    return found


if __name__ == "__main__":
    sys.exit("\n".join(complaints(VENDOR)) or None)
