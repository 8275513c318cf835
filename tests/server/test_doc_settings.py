"""docs/operations.md against the settings and the series that there are."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

from server import settings
from server.settings import Settings
from tests.harness import Server

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "operations.md").read_text()


def test_the_document_has_the_table_of_settings_as_it_is_generated() -> None:
    """To be brought up to date with what `python -m server.settings` prints."""
    command = [sys.executable, "-m", "server.settings"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert printed in TEXT
    assert TEXT.count("| setting |") == 1


def test_the_generated_table_has_every_setting_once() -> None:
    """A row each, with the name of its environment variable."""
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| [^|]+ \| [^|]+ \|$", settings.table(), re.MULTILINE)
    assert rows == [(field.name, settings.env_name(field)) for field in dataclasses.fields(Settings)]


def test_every_environment_variable_named_in_the_document_exists() -> None:
    """No sentence or example names one that the server would refuse."""
    named = set(re.findall(r"\b(?:HEREABOUTS_[A-Z_]+|MONGODB_URI)\b", TEXT))
    assert named == {settings.env_name(field) for field in dataclasses.fields(Settings)}


def test_every_option_named_in_the_document_exists() -> None:
    """Options of `run.py` in the examples."""
    named = {
        option
        for line in TEXT.splitlines()
        if "run.py" in line
        for option in re.findall(r"--([a-z][a-z-]+)", line)
    }
    assert named
    assert named <= {field.name.replace("_", "-") for field in dataclasses.fields(Settings)} | {
        "help",
        "bots",
    }


async def test_the_document_has_a_row_for_every_series(server: Server) -> None:
    """And none for a series that is not there."""
    response = await server.fetch("GET", f"{server.origin}/metrics")
    families = set(re.findall(rb"^# TYPE (hereabouts_\w+)", response.body, re.MULTILINE))
    there = {name.decode() for name in families if not name.endswith(b"_created")}
    shown = set(re.findall(r"^\| `(hereabouts_\w+)` \|", TEXT, re.MULTILINE))
    assert shown == there
