from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from storage.datadir import DataDir, DataDirInUse

HOLD = """
import sys
from pathlib import Path
from storage.datadir import DataDir

DataDir(Path(sys.argv[1])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


def hold(folder: Path) -> subprocess.Popen[bytes]:
    """Another process that holds the folder until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None and process.stdout.readline() == b"held\n"
    return process


def test_the_folder_is_made_and_its_owners_alone(tmp_path: Path) -> None:
    """A data folder that is not there is made, and nobody else may look into it, old or new."""
    folder = tmp_path / "deep" / "data"
    with DataDir(folder):
        assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    with DataDir(folder):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_second_process_is_told_who_is_there(tmp_path: Path) -> None:
    """Started twice on one folder, the second is refused with the process that has it; then it may."""
    process = hold(tmp_path)
    with pytest.raises(DataDirInUse, match=rf"{tmp_path} is in use by process {process.pid}\b"):
        DataDir(tmp_path).acquire()
    process.communicate()
    with DataDir(tmp_path), pytest.raises(DataDirInUse, match=rf"process {os.getpid()}\b"):
        DataDir(tmp_path).acquire()


def test_a_dead_process_has_no_lock(tmp_path: Path) -> None:
    """The lock of one that was killed is no obstacle, though its file with its pid is still there."""
    process = hold(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (tmp_path / "lock").read_text() == f"{process.pid}\n"
    with DataDir(tmp_path):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_a_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    """A process started meanwhile, that outlives its parent, does not hold the folder for it."""
    folder = DataDir(tmp_path)
    folder.acquire()
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    folder.release()
    with DataDir(tmp_path):
        assert child.poll() is None
    child.communicate()
