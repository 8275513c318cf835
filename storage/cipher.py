"""Bodies of messages and of speech in and out of the clear, and the data keys that do it.

Each session has a random 256-bit data key, stored with it, wrapped by the key ring. A body is
AES-256-GCM under it: 12 random bytes of nonce, then the ciphertext; bound as associated data to the
session, the message and the sender, so that a body moved elsewhere in the database does not open.
Speech has a key for each day (`speech_keys`), and is bound to its audience too. Called by the
repositories and the writers.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from bson.binary import Binary
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from storage.driver import Database, Document
from storage.errors import SessionGone, StorageError, Tampered
from storage.keyring import Keyring, WrappedKey
from storage.lru import Lru

_NONCE_BYTES = 12
_CACHED_KEYS = 20_000  # about 1 KB each with the cipher's own state


class SessionCipher:
    """Seals and opens the bodies of one session."""

    __slots__ = ("_aead", "_session")

    def __init__(self, session_id: str, data_key: bytes) -> None:
        self._session = _part(session_id)
        self._aead = AESGCM(data_key)

    def seal(self, message_id: str, sender_id: str, content: str) -> Binary:
        bound = self._session + _part(message_id) + _part(sender_id)
        return _seal(self._aead, content.encode(), bound)

    def open(self, message_id: str, sender_id: str, sealed: bytes) -> str:
        """Raises Tampered."""
        bound = self._session + _part(message_id) + _part(sender_id)
        try:
            return _open(self._aead, sealed, bound).decode()
        except (InvalidTag, ValueError):
            raise Tampered(f"the body of message {message_id} is not what was written") from None


class DayCipher:
    """Seals and opens what was said aloud on one day."""

    __slots__ = ("_aead",)

    def __init__(self, data_key: bytes) -> None:
        self._aead = AESGCM(data_key)

    def seal(self, speech_id: str, sender_id: str, listeners: Iterable[str], body: bytes) -> Binary:
        return _seal(self._aead, body, _said_by(speech_id, sender_id, listeners))

    def open(self, speech_id: str, sender_id: str, listeners: Iterable[str], sealed: bytes) -> bytes:
        """Raises Tampered."""
        try:
            return _open(self._aead, sealed, _said_by(speech_id, sender_id, listeners))
        except (InvalidTag, ValueError):
            raise Tampered(f"the body of speech {speech_id} is not what was written") from None


class DataKeys:
    """The ciphers of sessions, made when first needed and kept while they are used."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._sessions = database["sessions"]
        self._keyring = keyring
        self._ciphers: Lru[str, SessionCipher] = Lru(_CACHED_KEYS)

    def new(self) -> dict[str, Any]:
        """A new data key, wrapped, as the `key` of a session's document."""
        return key_document(self._keyring.wrap(AESGCM.generate_key(256)))

    async def get(self, session_id: str) -> SessionCipher:
        """Raises SessionGone, MissingKey."""
        found = (await self.load([session_id]))[session_id]
        if isinstance(found, StorageError):
            raise found
        return found

    async def load(self, session_ids: Iterable[str]) -> dict[str, SessionCipher | StorageError]:
        """For each session its cipher, or why there is none (SessionGone, MissingKey, BadKeyring)."""
        wanted = set(session_ids)
        result: dict[str, SessionCipher | StorageError] = {}
        for session_id in wanted:
            if (cipher := self._ciphers.get(session_id)) is not None:
                result[session_id] = cipher
        if absent := wanted - result.keys():
            async with self._database.operation("keys.load"):
                found = await self._sessions.find({"_id": {"$in": list(absent)}}, {"key": 1}).to_list(None)
            wrapped = {document["_id"]: document.get("key") for document in found}
            for session_id in absent:
                result[session_id] = self._unwrapped(session_id, wrapped.get(session_id))
        return result

    def forget(self, session_id: str) -> None:
        self._ciphers.forget(session_id)

    def _unwrapped(self, session_id: str, document: Document | None) -> SessionCipher | StorageError:
        if document is None:
            return SessionGone(session_id)
        try:
            cipher = SessionCipher(session_id, self._keyring.unwrap(wrapped_key(document)))
        except StorageError as error:
            return error
        self._ciphers.put(session_id, cipher)
        return cipher


def key_document(wrapped: WrappedKey) -> dict[str, Any]:
    return {"id": wrapped.key_id, "wrapped": Binary(wrapped.token)}


def wrapped_key(document: Document) -> WrappedKey:
    return WrappedKey(document["id"], bytes(document["wrapped"]))


def _seal(aead: AESGCM, body: bytes, bound: bytes) -> Binary:
    nonce = os.urandom(_NONCE_BYTES)
    return Binary(nonce + aead.encrypt(nonce, body, bound))


def _open(aead: AESGCM, sealed: bytes, bound: bytes) -> bytes:
    return aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound)


def _said_by(speech_id: str, sender_id: str, listeners: Iterable[str]) -> bytes:
    return b"".join(map(_part, (speech_id, sender_id, *listeners)))


def _part(text: str) -> bytes:
    """Behind its length, so that no two lists of parts read the same."""
    encoded = text.encode()
    return len(encoded).to_bytes(4, "big") + encoded
