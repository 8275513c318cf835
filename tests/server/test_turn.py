"""TURN: the credentials that the server hands out at a real coturn, and whom its sample configuration relays to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from aioice import stun

from tests.harness import Server
from tests.turn import SECRET, coturn, relay

UNAUTHORIZED = 401

# Where nobody's packets should be relayed to, by what it is.
REFUSED = {
    "127.0.0.1": [
        *("127.0.0.1", "127.1.2.3", "0.0.0.0"),  # this machine
        *("10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.0.1", "192.168.255.255"),
        "100.64.0.1",  # a provider's own (RFC 6598)
        *("169.254.1.1", "169.254.169.254"),  # link-local, and the metadata of clouds
        *("224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1"),  # multicast and what is none
        *("192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
    ],
    "::1": [
        *("::1", "::", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1"),
        *("fc00::1", "fd12:3456:789a::1", "fdff:ffff::1"),  # unique local
        *("fe80::1", "febf::1", "fec0::1"),  # link-local, site-local
        *("ff02::1", "ff05::2", "ff0e::1"),  # multicast
        *("64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1"),  # NAT64
        *("2002:7f00:1::1", "2002:a00:1::1", "2001::1", "2001:db8::1"),  # 6to4, Teredo, documentation
    ],
}
PERMITTED = {
    "127.0.0.1": ["1.1.1.1", "9.9.9.9", "126.255.255.255", "172.15.255.255", "172.32.0.1", "192.167.1.1"],
    "::1": ["2606:4700:4700::1111", "2a00:1450:4001::1"],
}


async def credentials(server: Server, name: str | None = None) -> tuple[str, str]:
    """As a client gets them."""
    person = await server.person(name)
    (found,) = (await person.ok("GET", "/webrtc/ice-servers"))["ice_servers"]
    return found["username"], found["credential"]


async def test_coturn_relays_for_whom_the_server_gave_credentials(
    new_server: Callable[..., Server], tmp_path: Path
) -> None:
    """For nobody with another's, none, or such as the server would give under another secret."""
    async with (
        coturn(tmp_path) as port,
        new_server(turn_urls=(f"turn:127.0.0.1:{port}",), turn_secret=SECRET) as server,
        new_server(turn_urls=("turn:x",), turn_secret="another") as other,
    ):
        username, credential = await credentials(server)
        async with relay(port, username, credential) as allowed:
            assert allowed.relayed_address is not None and allowed.relayed_address[0] == "127.0.0.1"
        expiry, _, user = username.partition(":")
        for name, word in (
            (f"{int(expiry) + 3600}:{user}", credential),
            (f"{expiry}:somebody", credential),
            (username, "another"),
            (username, ""),
            await credentials(other, "another"),
        ):
            with pytest.raises(stun.TransactionFailed) as refusal:
                async with relay(port, name, word):
                    pass
            assert refusal.value.response.error_code == UNAUTHORIZED


async def test_credentials_expire(new_server: Callable[..., Server], tmp_path: Path) -> None:
    """The same that were good for an hour are refused when it is over: here they were given over an hour ago."""
    async with (
        coturn(tmp_path) as port,
        new_server(turn_urls=(f"turn:127.0.0.1:{port}",), turn_secret=SECRET, turn_seconds=3600) as server,
    ):
        server.clock.advance(-3590)
        async with relay(port, *await credentials(server)):
            pass
        server.clock.advance(-20)
        with pytest.raises(stun.TransactionFailed) as refusal:
            async with relay(port, *await credentials(server)):
                pass
        assert refusal.value.response.error_code == UNAUTHORIZED


@pytest.mark.parametrize("family", ["127.0.0.1", "::1"])
async def test_a_relay_is_no_way_into_networks_that_are_not_public(
    family: str, new_server: Callable[..., Server], tmp_path: Path
) -> None:
    """The sample refuses permission for each address that is no public one, and grants it for those that are."""
    async with (
        coturn(tmp_path, "--allocation-default-address-family=keep") as port,
        new_server(turn_urls=(f"turn:127.0.0.1:{port}",), turn_secret=SECRET) as server,
        relay(port, *await credentials(server), host=family) as it,
    ):
        assert not [address for address in REFUSED[family] if await it.permits(address)]
        assert not [address for address in PERMITTED[family] if not await it.permits(address)]
