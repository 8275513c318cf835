"""The guards themselves: a test that misbehaves has to fail."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time

import pytest
from tornado.ioloop import IOLoop

from server.logs import log
from tests import guards
from tests.journeys.process import complaints


@pytest.mark.logs("storage_failed", "other WARNING")
def test_a_warning_that_nobody_expects_fails() -> None:
    """Any logger counts, the server's own too."""
    for warn in (log.warning, logging.getLogger("other").warning):
        with pytest.raises(AssertionError, match="unexpected"), guards.logs("something else"):
            warn("storage_failed")


def test_an_expected_warning_that_does_not_come_fails() -> None:
    """A test cannot go on allowing what does not happen any more."""
    with pytest.raises(AssertionError, match="did not come"), guards.logs("storage_failed"):
        logging.getLogger("other").info("storage_failed")


@pytest.mark.logs("^hereabouts WARNING .*storage_failed")
def test_an_expected_warning_passes() -> None:
    """The marker names what is logged on purpose."""
    log.warning("storage_failed")


def test_a_callback_that_computes_for_long_fails(io_loop: IOLoop) -> None:
    """The failure names the callback."""

    async def compute() -> None:
        until = time.thread_time() + 0.02
        while time.thread_time() < until:
            pass

    with pytest.raises(AssertionError, match="compute"), guards.unblocked_loop(most_cpu=0.01):
        io_loop.run_sync(compute)


def test_a_callback_that_waits_for_long_fails(io_loop: IOLoop) -> None:
    """Whatever it waits for."""

    async def wait() -> None:
        time.sleep(0.3)

    with pytest.raises(AssertionError, match="wait"), guards.unblocked_loop(most_wall=0.1):
        io_loop.run_sync(wait)


def test_waiting_for_a_cpu_passes(io_loop: IOLoop) -> None:
    """Of one CPU shared with four others who compute, a callback gets a fifth. (Linux alone tells.)"""

    async def compute() -> None:
        until = time.thread_time() + 0.2
        while time.thread_time() < until:
            pass

    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cpus)})
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    try:
        with guards.unblocked_loop(most_cpu=1.0, most_wall=0.4):
            io_loop.run_sync(compute)
    finally:
        for other in others:
            other.kill()
            other.wait()
        os.sched_setaffinity(0, cpus)


# A callback that takes until a line comes.
CALLBACK = """
import asyncio
from tests import guards
async def callback():
    print("begun", flush=True)
    input()
with guards.unblocked_loop(most_wall=0.4):
    asyncio.run(callback())
"""


@pytest.mark.parametrize("stands_still", [True, False])
def test_a_machine_that_stands_still_is_no_callbacks_doing(stands_still: bool) -> None:
    """What stops the whole process is not counted; that the callback waits alone is."""
    with subprocess.Popen(
        [sys.executable, "-c", CALLBACK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout and process.stdout.readline() == b"begun\n"
        if stands_still:
            process.send_signal(signal.SIGSTOP)
        time.sleep(0.8)
        process.send_signal(signal.SIGCONT)
        _, complaint = process.communicate(b"\n")
    assert (process.returncode == 0) is stands_still, complaint
    assert stands_still or b"the loop was blocked by" in complaint


def test_waiting_without_blocking_passes(io_loop: IOLoop) -> None:
    """Only the loop's own thread counts."""

    async def compute_elsewhere() -> None:
        await asyncio.to_thread(sum, range(1_000_000))

    with guards.unblocked_loop():
        io_loop.run_sync(compute_elsewhere)


def test_what_a_server_of_its_own_process_complains_of_is_found() -> None:
    """Warnings and errors of both formats, and what no log wrote."""
    fine = [
        '{"event": "listening", "level": "info", "logger": "hereabouts"}',
        "2026-11-24T10:25:41.756679Z [debug    ] socket_closed  [hereabouts] code=1000",
    ]
    bad = [
        '{"event": "storage_failed", "level": "warning", "logger": "hereabouts"}',
        "2026-11-24T10:25:41.756679Z [error    ] a bug  [hereabouts]",
        "Traceback (most recent call last):",
    ]
    assert complaints("\n".join([*fine, *bad])) == bad
