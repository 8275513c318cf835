"""The Autobahn suite's cases, run by kosoku against our wire: RFC 6455, case by case."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path

from tests.handlers.echo import echo_server

# Autobahn's 9.* send messages of up to 16 MiB.
LARGEST = 16 * 1024 * 1024
CASES = 301  # those of the protocol itself: 12.* and 13.* are about compression, which we do not offer
# Text that stops being UTF-8 in the middle of a frame: refused at the frame's end, as §8.1 allows.
AT_THE_END_OF_THE_FRAME = {"6.4.3", "6.4.4"}
# Cases that judge nothing: what is sent after a close frame, close codes that nobody has defined.
UNJUDGED = {"7.1.6", "7.13.1", "7.13.2"}


async def test_every_case_of_the_protocol_passes(tmp_path: Path) -> None:
    """Message exchange and closing handshake, all of them, and strictly but where it is said why not."""
    async with echo_server(message_bytes=LARGEST, buffer_bytes=2 * LARGEST) as server:
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("kosoku")),
            *("--outdir", str(tmp_path), f"127.0.0.1:{server.port}"),
            *("--exclude", "12.*", "--exclude", "13.*"),
            stdout=asyncio.subprocess.DEVNULL,
        )
        await process.wait()
    (verdicts,) = json.loads((tmp_path / "index.json").read_text()).values()
    exchanges, closes = (
        {case: verdict[kind] for case, verdict in verdicts.items()} for kind in ("behavior", "behaviorClose")
    )
    assert len(verdicts) == CASES
    assert {case for case, how in exchanges.items() if how == "NON-STRICT"} == AT_THE_END_OF_THE_FRAME
    assert {case for case, how in exchanges.items() if how == "INFORMATIONAL"} == UNJUDGED
    assert Counter(exchanges.values())["OK"] == CASES - len(AT_THE_END_OF_THE_FRAME | UNJUDGED)
    assert {case for case, how in closes.items() if how != "OK"} == UNJUDGED
