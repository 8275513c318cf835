"""The data folder: one server at a time, nobody else's to read.

Holds a lock for as long as the process lives, in whatever way that ends: it is the kernel's, on an open
file, so a dead process has none. Called by whoever starts the server.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from storage.errors import StorageError


class DataDirInUse(StorageError):
    """Another process works in this data folder; the sentence names it."""


class DataDir:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    def acquire(self) -> None:
        """Makes the folder if there is none. Raises DataDirInUse, or StorageError where it cannot be had."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.path.chmod(0o700)
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StorageError(f"the data folder {self.path} cannot be used: {error.strerror}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 32).decode("ascii", "replace").strip()
            os.close(lock)
            raise DataDirInUse(
                f"the data folder {self.path} is in use by process {holder or '(just starting)'}:"
                " stop that one first, or give another folder"
            ) from None
        os.truncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
        self._lock = lock

    def release(self) -> None:
        """The file stays: were it removed, two processes could each lock one of that name."""
        if self._lock is not None:
            os.truncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> DataDir:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()
