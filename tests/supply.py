"""What the server is made of: the pinned packages of Python's and the vendored libraries, as a CycloneDX bill of materials.

`make sbom` runs it as a program, with what is pinned installed, since licences stand in the packages alone. Hashes
are those of the lock: of each file that may be installed, on whichever platform.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from tests.vendored import LIST, VENDOR

LOCK = Path(__file__).resolve().parent.parent / "requirements.txt"
_PINNED = re.compile(r"([a-z0-9][a-z0-9.\-]*)==(\S+)(?: ; (.+?))? \\")
_HASH = re.compile(r"    --hash=sha256:([0-9a-f]{64})( \\)?")

# The package of the npm registry that each vendored library is from.
NPM_NAMES = {
    "pixi": "pixi.js",
    "htm": "htm",
    "bricolage-grotesque": "%40fontsource-variable/bricolage-grotesque",
    "instrument-sans": "%40fontsource-variable/instrument-sans",
    "swagger-ui": "swagger-ui-dist",
}


@dataclass
class Pinned:
    name: str
    version: str
    marker: str | None  # where it is installed; everywhere if there is none
    hashes: list[str]


def pinned(lock: str) -> list[Pinned]:
    """The entries of a lock. Raises ValueError for a line that is no pinned requirement, no hash and no comment."""
    found: list[Pinned] = []
    for line in lock.splitlines():
        if match := _PINNED.fullmatch(line):
            found.append(Pinned(match[1], match[2], match[3], []))
        elif found and (match := _HASH.fullmatch(line)):
            found[-1].hashes.append(match[1])
        elif line.strip() and not line.strip().startswith("#"):
            raise ValueError(f"expected a pinned requirement or its hash, got {line!r}")
    return found


def bill() -> dict[str, Any]:
    """CycloneDX 1.6. Without date and number: the same lock makes the same bill."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "bom-ref": "hereabouts", "name": "hereabouts"},
            "tools": {"components": [{"type": "application", "name": "tests.supply of hereabouts"}]},
        },
        "components": [
            *(_package(each) for each in pinned(LOCK.read_text())),
            *(_library(each) for each in json.loads((VENDOR / LIST).read_text())),
        ],
    }


def _package(package: Pinned) -> dict[str, Any]:
    purl = f"pkg:pypi/{package.name}@{package.version}"
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl,
        "name": package.name,
        "version": package.version,
        "purl": purl,
        "externalReferences": [
            {
                "type": "distribution",
                "url": purl,
                "hashes": [{"alg": "SHA-256", "content": digest} for digest in package.hashes],
            }
        ],
    }
    if licence := _licence(package.name):
        component["licenses"] = [{"license": {"name": licence}}]
    if package.marker:
        component["properties"] = [{"name": "hereabouts:marker", "value": package.marker}]
    return component


def _licence(name: str) -> str | None:
    """As the installed package says it in a line; None if it does not, or is not for this platform."""
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return None
    said = "".join((about.get_all("License-Expression") or about.get_all("License") or [""])[:1])
    classified = [
        line.rpartition(" :: ")[2]
        for line in about.get_all("Classifier") or ()
        if line.startswith("License :: ")
    ]
    return said if said and "\n" not in said else ", ".join(classified) or None


def _library(library: dict[str, Any]) -> dict[str, Any]:
    purl = f"pkg:npm/{NPM_NAMES[library['name']]}@{library['version']}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": library["name"],
        "version": library["version"],
        "purl": purl,
        "licenses": [{"license": {"name": library["licence"]}}],
        "components": [
            {
                "type": "file",
                "bom-ref": f"{purl}#{path}",
                "name": path,
                "hashes": [{"alg": "SHA-256", "content": digest}],
            }
            for path, digest in library["files"].items()
        ],
    }


if __name__ == "__main__":
    json.dump(bill(), sys.stdout, indent=1)
