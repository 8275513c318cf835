"""Where a request comes from: addresses, networks, and what proxies say of those behind them. Plain values.

Asked by `handlers.base`, which has the header; limits and the log of security events take what it finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# What one household or one rented machine has of IPv6: who has a /64 has 2^64 addresses to change between.
_IPV6_SHARE: Final = 64
# Of an address as text: IPv6 with IPv4 in it (45), and a zone.
_LONGEST: Final = 64


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Addresses and networks in CIDR form; ValueError for what is neither, and for a network with host bits."""
    return tuple(ip_network(text) for text in texts)


def caller(peer: str, forwarded_for: str, trusted: Sequence[Network]) -> str:
    """Who calls: the last hop before the trusted proxies.

    `peer` is the other end of the connection. `forwarded_for` is read from the right, since each proxy
    appends whom it got the request from, and everything to the left of the first hop that is not trusted is that
    hop's own claim. A hop that is no address tells nothing: then it is the proxy that passed it on.
    """
    found = _parse(peer)
    if found is None:
        return peer  # a socket without an address
    hops = forwarded_for.split(",")
    while hops and _is_among(found, trusted):
        hop = _parse(_without_port(hops.pop().strip()))
        if hop is None:
            break
        found = hop
    return str(found)


def is_among(address: str, trusted: Sequence[Network]) -> bool:
    found = _parse(address)
    return found is not None and _is_among(found, trusted)


def limited_as(address: str) -> str:
    """The key that limits count an address under: itself, or its network where one caller has many."""
    found = _parse(address)
    if isinstance(found, IPv6Address):
        return str(ip_network((int(found), _IPV6_SHARE), strict=False))
    return address


def _is_among(address: Address, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)


def _parse(text: str) -> Address | None:
    return _parsed(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Address | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    # What listens on `::` sees IPv4 like this.
    return (isinstance(found, IPv6Address) and found.ipv4_mapped) or found


def _without_port(hop: str) -> str:
    """Some proxies append `203.0.113.1:4711` or `[2001:db8::1]:4711`."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
