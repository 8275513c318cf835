"""The master keys: wraps and unwraps the data keys of sessions, and says which master key did it.

Where they come from: a file, one Fernet key a line, or a setting. The first is the primary, which wraps;
the others only unwrap. A file is looked at again when it has changed, so that a running server takes
up a key that `rotate-keys` put there. No key is ever part of a message. Called by `cipher`, `rotation`
and whoever starts the server.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from storage.errors import BadKeyring, MissingKey

log = logging.getLogger("hereabouts.storage.keyring")

Stamp = tuple[int, int, int]

# The key of the test vectors in Fernet's specification, which everybody has.
_EXAMPLES = frozenset({b"cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="})
# Of its 32 bytes a random key repeats two or three; one in 10^16 has fewer different ones than this.
_FEWEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key as it is stored: a Fernet token, and the id of the master key that made it."""

    key_id: str
    token: bytes


def key_id(key: bytes) -> str:
    """What a master key is called: 16 hex digits of its SHA-256, which tell nothing about it."""
    return hashlib.sha256(key).hexdigest()[:16]


class Keyring:
    def __init__(self, keys: Sequence[bytes], *, path: Path | None = None) -> None:
        self._path = path
        self._stamp = None if path is None else _stamp(path)
        self._take(keys)

    @classmethod
    def from_setting(cls, text: str) -> Keyring:
        """Comma-separated Fernet keys, the primary first. Raises BadKeyring."""
        return cls(_parse([part.strip() for part in text.split(",")], "the setting of master keys"))

    @classmethod
    def from_file(cls, path: Path) -> Keyring:
        """Raises BadKeyring if it is absent, malformed, or can be read by others than its owner."""
        return cls(_read(path), path=path)

    @classmethod
    def create(cls, path: Path) -> Keyring:
        """The ring of this file, which is made (mode 0600, with one new key) if there is none."""
        if not path.exists():
            _write(path, [Fernet.generate_key()])
        return cls.from_file(path)

    @property
    def primary_id(self) -> str:
        return self._primary_id

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(self._ids)

    def wrap(self, data_key: bytes) -> WrappedKey:
        self.refresh()
        return WrappedKey(self._primary_id, self._fernet.encrypt(data_key))

    def unwrap(self, wrapped: WrappedKey) -> bytes:
        """Raises MissingKey."""
        self._need(wrapped.key_id)
        try:
            return self._fernet.decrypt(wrapped.token)
        except InvalidToken:
            raise BadKeyring(f"a data key said to be under {wrapped.key_id} does not open with it") from None

    def rewrap(self, wrapped: WrappedKey) -> WrappedKey:
        """The same data key under the primary. Raises MissingKey."""
        return self.wrap(self.unwrap(wrapped))

    def add_key(self) -> str:
        """Puts a new primary in front of the file's keys, all of which stay; its id.

        A reader sees the old file or the new one, whenever it looks and whatever fails.
        """
        if self._path is None:
            raise BadKeyring("a key can only be added to a key file: the setting is changed by hand")
        key = Fernet.generate_key()
        _write(self._path, [key, *_read(self._path)])
        self.refresh()
        return key_id(key)

    def refresh(self) -> None:
        """Takes up what has changed in the file. A file that cannot be used leaves the ring as it is."""
        if self._path is None:
            return
        try:
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                self._take(_read(self._path))
                self._stamp = stamp
        except (BadKeyring, OSError) as error:
            log.warning("the key file changed but cannot be used, keeping the keys already read: %s", error)

    def _need(self, wanted: str) -> None:
        if wanted not in self._ids:
            self.refresh()
        if wanted not in self._ids:
            raise MissingKey(wanted)

    def _take(self, keys: Sequence[bytes]) -> None:
        self._ids = [key_id(key) for key in keys]
        self._primary_id = self._ids[0]
        self._fernet = MultiFernet([Fernet(key) for key in keys])


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size


def _read(path: Path) -> list[bytes]:
    try:
        mode = path.stat().st_mode
        text = path.read_text("ascii")
    except FileNotFoundError:
        raise BadKeyring(f"there is no key file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadKeyring(f"the key file {path} cannot be read ({type(error).__name__})") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise BadKeyring(f"the key file {path} is open to others than its owner: chmod 600 {path}")
    return _parse(text.splitlines(), f"the key file {path}")


def _parse(lines: Sequence[str], where: str) -> list[bytes]:
    keys = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            key = line.strip().encode("ascii")
            Fernet(key)
        except ValueError:
            raise BadKeyring(
                f"key {number} of {where} is malformed: expected a Fernet key (32 bytes, url-safe base64)"
            ) from None
        if key in _EXAMPLES or len(set(base64.urlsafe_b64decode(key))) < _FEWEST_BYTES:
            raise BadKeyring(
                f"key {number} of {where} is an example, not a random key: make one with"
                " `python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'`"
            )
        keys.append(key)
    if not keys:
        raise BadKeyring(f"{where} holds no key")
    return keys


def _write(path: Path, keys: Sequence[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp gives 0600 from the first moment on.
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(b"".join(key + b"\n" for key in keys))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
