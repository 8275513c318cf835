"""Servers and the load as processes on a core each: a server on core 0, what loads it and MongoDB on core 1."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent
BUILT: Final = ROOT / ".bench"  # what is compiled or fetched, and nothing that is committed
SERVER_CORE: Final = "0"
LOAD_CORE: Final = "1"
PATIENCE: Final = 120.0  # seconds for anything to start or to end


class Failed(Exception):
    """Something did not run; the text says what and quotes what it printed."""


def run(command: Sequence[str | Path], *, cwd: Path = ROOT) -> str:
    """What a command prints. Raises Failed."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=PATIENCE)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"{command[0]}: {error}") from None
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Process:
    """A server that prints one line when it is ready; `first_line` is that."""

    def __init__(self, command: Sequence[str | Path], *, core: str = SERVER_CORE, cwd: Path = ROOT) -> None:
        self._process = subprocess.Popen(
            ["taskset", "-c", core, *map(str, command)],
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None and self._process.stderr is not None
        self.first_line = self._process.stdout.readline().strip()
        if not self.first_line:
            self._process.wait(PATIENCE)
            raise Failed(f"{' '.join(map(str, command))}: {self._process.stderr.read().strip()}")

    @property
    def pid(self) -> int:
        return self._process.pid  # `taskset` becomes the command, with the same id

    @property
    def resident(self) -> int:
        """Bytes in memory."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise Failed("the kernel does not say how much memory a process takes")

    def rest(self) -> None:
        """Returns when it has done what it had to: takes a twentieth of its core at most."""
        used = self._cpu_seconds
        while True:
            time.sleep(0.5)
            before, used = used, self._cpu_seconds
            if used - before <= 0.025:
                return

    @property
    def _cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def pause(self) -> None:
        """Its timers are not to take time from another server on the same core."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def end_input(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE)

    def kill(self) -> None:
        """For one with nothing to save."""
        self._process.kill()
        self._process.communicate()

    def stop(self) -> None:
        self.resume()
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def load_command(*arguments: object) -> list[str]:
    return [str(BUILT / "load"), *map(str, arguments)]


def load(*arguments: object) -> dict[str, Any]:
    """One run of the load; its answer."""
    answer: dict[str, Any] = json.loads(run(["taskset", "-c", LOAD_CORE, *load_command(*arguments)]))
    return answer


def build(source: str, *libraries: str) -> Path:
    """A C program of this folder, compiled if it changed."""
    BUILT.mkdir(exist_ok=True)
    path, built = HERE / source, BUILT / Path(source).stem
    changed = max(read.stat().st_mtime for read in (path, *HERE.glob("*.h")))
    if not built.exists() or built.stat().st_mtime < changed:
        run(["gcc", "-O2", "-Wall", "-o", built, path, *libraries])
    return built


def python(*arguments: str | Path) -> list[str | Path]:
    return [sys.executable, *arguments]
