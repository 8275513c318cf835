"""STUN and TURN servers for the clients."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable

from tests.harness import Server


async def test_without_settings_there_are_no_servers(server: Server) -> None:
    """An empty list, for those with a token."""
    ann = await server.person()
    assert await ann.call("GET", "/webrtc/ice-servers") == (200, {"ice_servers": []})
    await server.refused("unauthorized", "GET", "/webrtc/ice-servers")


async def test_turn_credentials_are_what_coturn_checks(new_server: Callable[..., Server]) -> None:
    """The username is the expiry and the user, the credential its HMAC-SHA1 under the shared secret."""
    stun, turn = ("stun:a.example:3478",), ("turn:b.example:3478", "turns:b.example:5349")
    async with new_server(stun_urls=stun, turn_urls=turn, turn_secret="shared", turn_seconds=60) as server:
        ann, bob = await server.person(), await server.person()
        before = int(time.time())
        answer = await ann.ok("GET", "/webrtc/ice-servers")
        first, second = answer["ice_servers"]
        assert first == {"urls": list(stun)}
        assert second.keys() == {"urls", "username", "credential"}
        assert second["urls"] == list(turn)
        expiry, _, user_id = second["username"].partition(":")
        assert user_id == ann.id
        assert before + 60 <= int(expiry) <= int(time.time()) + 60
        mac = hmac.new(b"shared", second["username"].encode(), hashlib.sha1).digest()
        assert base64.b64decode(second["credential"]) == mac
        his = (await bob.ok("GET", "/webrtc/ice-servers"))["ice_servers"][1]
        assert his["credential"] != second["credential"]
        server.clock.advance(30)
        later = (await ann.ok("GET", "/webrtc/ice-servers"))["ice_servers"][1]
        assert int(later["username"].partition(":")[0]) >= int(expiry) + 30
