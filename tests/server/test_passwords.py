"""Which passwords may be chosen. Signing in asks nothing of the kind."""

from __future__ import annotations

from collections.abc import Callable
from unittest.mock import patch

import pytest

from server.errors import ApiError
from server.passwords import check_new
from server.services import accounts
from tests.harness import PASSWORD, Server

COMMON = ["password", "Password1", "12345678", "QWERTYUIOP", "iloveyou", "letmein1", "trustno1"]


@pytest.mark.parametrize("password", COMMON)
def test_what_everybody_chooses_is_refused(password: str) -> None:
    """In any case of its letters."""
    with pytest.raises(ApiError, match="one of the most common"):
        check_new(password, "ann")


@pytest.mark.parametrize("password", ["somebody", "SomeBody"])
def test_the_username_is_no_password(password: str) -> None:
    """Nor in another case."""
    with pytest.raises(ApiError, match="must not be the username"):
        check_new(password, "somebody")
    check_new(password, "somebody.else")


@pytest.mark.parametrize("password", ["zzzzzzzzzzzzzzz", "zQzQzQzQzQzQ", "🐎" * 8])
def test_a_letter_or_two_again_and_again_is_refused(password: str) -> None:
    """Long as it may be."""
    with pytest.raises(ApiError, match="expected 3 different characters"):
        check_new(password, "ann")


@pytest.mark.parametrize("password", [PASSWORD, "battery staple", "k7-horse", "🐎🐴🦄🐎🐴🦄🐎🐴"])
def test_others_may_be_chosen(password: str) -> None:
    """A word list is no rule about digits and signs."""
    check_new(password, "ann")


async def test_a_common_password_makes_no_account_and_changes_none(server: Server) -> None:
    """400 with a sentence that names the field; the old one goes on."""
    for password in ("password1", "newcomer", "aaaaaaaaaaa"):
        sentence = await server.refused(
            "invalid_message", "POST", "/auth/register", {"username": "newcomer", "password": password}
        )
        assert "field `password`" in sentence
    ann = await server.person("longer-name")
    for password in ("password1", "Longer-Name", "aaaaaaaaaaa"):
        await ann.refused("invalid_message", "POST", "/auth/password", {"old": PASSWORD, "new": password})
    await ann.ok("POST", "/auth/password", {"old": PASSWORD, "new": "battery staple"})
    await server.person("newcomer")


async def test_who_has_a_common_password_can_still_sign_in(new_server: Callable[..., Server]) -> None:
    """It was chosen before there was a list: locking its owner out would help nobody."""
    async with new_server() as server:
        body = {"username": "ann", "password": "password1"}
        with patch.object(accounts, "check_new"):
            assert (await server.call("POST", "/auth/register", body))[0] == 201
        assert (await server.call("POST", "/auth/login", body))[0] == 200
