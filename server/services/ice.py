"""STUN and TURN servers for the clients, with credentials that expire."""

from __future__ import annotations

import base64
import hashlib
import hmac

from server.clock import Clock
from server.protocol.shapes import IceServerShape, IceServersShape
from server.settings import Settings


def ice_servers(settings: Settings, user_id: str, clock: Clock) -> IceServersShape:
    """`RTCConfiguration.iceServers` for one user.

    TURN credentials are those of coturn's `use-auth-secret` (draft-uberti-behave-turn-rest-00 §2.2):
    the username is the expiry in Unix seconds and the user, the credential its HMAC-SHA1 in base64.
    """
    servers: list[IceServerShape] = []
    if settings.stun_urls:
        servers.append({"urls": list(settings.stun_urls)})
    if settings.turn_urls:
        username = f"{clock.now() // 1000 + settings.turn_seconds}:{user_id}"
        mac = hmac.new(settings.turn_secret.encode(), username.encode(), hashlib.sha1)
        credential = base64.b64encode(mac.digest()).decode()
        servers.append({"urls": list(settings.turn_urls), "username": username, "credential": credential})
    return {"ice_servers": servers}
