"""Identifiers: opaque to clients, sorted by time for the indexes' sake, unguessable in the rest."""

from __future__ import annotations

import hashlib
import os
import secrets
import time


def new_id() -> str:
    """32 hex digits of a UUID version 7 (RFC 9562 §5.7): 48 bits of milliseconds, 74 of chance."""
    random = int.from_bytes(os.urandom(10), "big")
    high = (time.time_ns() // 1_000_000 << 16) | 0x7000 | (random >> 68 & 0x0FFF)
    low = 1 << 63 | (random & (1 << 62) - 1)
    return f"{high:016x}{low:016x}"


def new_secret() -> str:
    """A token that only its holder knows: 256 bits, URL-safe."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """What is stored of a secret: enough to know it again, useless to whoever reads the store."""
    return hashlib.sha256(secret.encode()).digest()
