"""Whose address a request is counted under: what proxies say, and whom of them is believed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.addresses import caller, is_among, limited_as, networks

TRUSTED = networks(("10.0.0.0/8", "192.0.2.1", "2001:db8:aaaa::/48"))


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "address"),
    [
        ("203.0.113.1", "", "203.0.113.1"),
        ("203.0.113.1", "198.51.100.1", "203.0.113.1"),  # not trusted: its word is nobody's
        ("203.0.113.1", "198.51.100.1, 10.0.0.1", "203.0.113.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.255.0.1", "198.51.100.1", "198.51.100.1"),
        ("192.0.2.1", " 198.51.100.1 ", "198.51.100.1"),
        ("192.0.2.2", "198.51.100.1", "192.0.2.2"),
        # What stands before the first hop that is not trusted is that hop's own claim.
        ("10.0.0.1", "127.0.0.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "10.9.9.9, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.9, 198.51.100.1, 192.0.2.1, 10.0.0.2", "198.51.100.1"),
        # The header was there more than once: Tornado joins them in their order.
        ("10.0.0.1", "6.6.6.6,198.51.100.1,10.0.0.2", "198.51.100.1"),
        # All of them trusted: the farthest. None: the proxy itself.
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "", "10.0.0.1"),
        # A hop that is no address: who passed it on.
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, unknown, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "198.51.100.1,", "10.0.0.1"),
        ("10.0.0.1", "' OR 1=1 --", "10.0.0.1"),
        # With ports, as some proxies write them.
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        # IPv6, in any spelling, and IPv4 as `::` hears it.
        ("2001:db8:aaaa::1", "2001:DB8:0::1", "2001:db8::1"),
        ("2001:db8:aaab::1", "198.51.100.1", "2001:db8:aaab::1"),
        ("::ffff:10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        ("::ffff:203.0.113.1", "198.51.100.1", "203.0.113.1"),
        # A socket without an address.
        ("", "198.51.100.1", ""),
        ("0.0.0.0", "198.51.100.1", "0.0.0.0"),
    ],
)
def test_the_caller_is_the_last_hop_before_the_trusted_proxies(
    peer: str, forwarded_for: str, address: str
) -> None:
    """Read from the right, one hop after the other."""
    assert caller(peer, forwarded_for, TRUSTED) == address


@given(claimed=st.text(max_size=100), peer=st.sampled_from(["10.0.0.1", "203.0.113.1"]))
def test_nothing_that_a_client_claims_changes_what_is_appended(claimed: str, peer: str) -> None:
    """A trusted proxy appends whom it heard; whatever came before that is not looked at."""
    expected = "198.51.100.1" if peer == "10.0.0.1" else peer
    assert caller(peer, f"{claimed}, 198.51.100.1", TRUSTED) == expected


def test_a_network_of_ipv6_is_one_caller() -> None:
    """Who has a /64 has more addresses than any table; of IPv4 each counts for itself."""
    assert limited_as("2001:db8:1:2::1") == limited_as("2001:db8:1:2:ffff::9") == "2001:db8:1:2::/64"
    assert limited_as("2001:db8:1:3::1") != limited_as("2001:db8:1:2::1")
    assert limited_as("198.51.100.1") == "198.51.100.1"
    assert limited_as("") == ""


def test_an_address_is_among_networks_of_its_own_kind() -> None:
    """An IPv4 address is in no network of IPv6, and what is no address in none."""
    assert is_among("10.1.2.3", TRUSTED) and is_among("::ffff:10.1.2.3", TRUSTED)
    assert not is_among("11.1.2.3", TRUSTED)
    assert not is_among("", TRUSTED)
    assert not is_among("10.1.2.3", ())


@pytest.mark.parametrize("text", ["", "proxy.example", "10.0.0.1/8", "10.0.0.0/33", "10.0.0", "::/129"])
def test_what_is_no_network_is_an_error(text: str) -> None:
    """Host bits too: whoever writes 10.0.0.1/8 may mean one address or sixteen million."""
    with pytest.raises(ValueError, match="."):
        networks((text,))
