"""Trusting an identity provider's tokens in place of our own."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import get_default_algorithms

from server.clock import Clock
from server.errors import ApiError
from server.services.tokens import Tokens
from server.settings import BadSetting, Settings
from tests.harness import PASSWORD, TOKEN_SECRET, Server

ISSUER: Final = "https://id.example"
AUDIENCE: Final = "hereabouts-world"
KEYS: Final[dict[str, Any]] = {
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def pem(algorithm: str) -> str:
    public = KEYS[algorithm].public_key()
    return str(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


def jwk(algorithm: str, **more: str) -> dict[str, Any]:
    return {**json.loads(get_default_algorithms()[algorithm].to_jwk(KEYS[algorithm].public_key())), **more}


def token(
    algorithm: str = "EdDSA",
    *,
    kid: str | None = None,
    key: Any = None,
    alg: str | None = None,
    **claims: Any,
) -> str:
    """What the provider signs; a claim of None is left out."""
    payload = {"iss": ISSUER, "aud": AUDIENCE, "sub": "1", "exp": int(time.time()) + 600, **claims}
    payload = {name: value for name, value in payload.items() if value is not None}
    signing = key if key is not None else KEYS[algorithm]
    return jwt.encode(payload, signing, algorithm=alg or algorithm, headers={"kid": kid} if kid else None)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    path.write_text(pem("EdDSA"))
    return path


@pytest.fixture
def trusting(new_server: Callable[..., Server], key_file: Path) -> Server:
    """A server that trusts the provider's EdDSA key."""
    return new_server(oidc_issuer=ISSUER, oidc_audience=AUDIENCE, oidc_key_file=str(key_file))


def verifier(key_file: Path, text: str) -> Tokens:
    key_file.write_text(text)
    settings = Settings(oidc_issuer=ISSUER, oidc_audience=AUDIENCE, oidc_key_file=str(key_file))
    return Tokens(settings, TOKEN_SECRET, Clock())


# Which tokens hold


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_token_holds_under_a_pem_key(algorithm: str, key_file: Path) -> None:
    """Of the key's own algorithm; under any other key it does not, which is nobody's error but the caller's."""
    for held in KEYS:
        tokens = verifier(key_file, pem(held))
        if held == algorithm:
            assert tokens.verify(token(algorithm)).subject == f"{ISSUER}|1"
        else:
            with pytest.raises(ApiError, match="the token is not valid"):
                tokens.verify(token(algorithm))


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_token_holds_under_the_key_of_a_set_that_it_names(algorithm: str, key_file: Path) -> None:
    """By `kid`; with several keys, none or another's does not do."""
    keys = {"keys": [jwk(name, kid=name) for name in KEYS]}
    tokens = verifier(key_file, json.dumps(keys))
    assert tokens.verify(token(algorithm, kid=algorithm)).subject == f"{ISSUER}|1"
    wrong = next(name for name in KEYS if name != algorithm)
    for kid in (None, wrong, "unknown"):
        with pytest.raises(ApiError, match="the token is not valid"):
            tokens.verify(token(algorithm, kid=kid))


def test_the_only_key_of_a_set_needs_no_name(key_file: Path) -> None:
    """Many providers have just one, with or without a `kid` in their tokens."""
    tokens = verifier(key_file, json.dumps({"keys": [jwk("ES256")]}))
    assert tokens.verify(token("ES256")).subject == f"{ISSUER}|1"
    assert tokens.verify(token("ES256", kid="any")).subject == f"{ISSUER}|1"
    tokens = verifier(key_file, json.dumps({"keys": [jwk("ES256", kid="one")]}))
    assert tokens.verify(token("ES256")).subject == f"{ISSUER}|1"


def test_what_is_not_quite_the_providers_token_does_not_hold(key_file: Path) -> None:
    """Another issuer, audience or key, no or a wrong claim, an algorithm that takes the public key for a secret."""
    tokens = verifier(key_file, pem("RS256"))
    now = int(time.time())
    bad = {
        "issuer": token("RS256", iss="https://id.example/"),
        "no issuer": token("RS256", iss=None),
        "audience": token("RS256", aud="another"),
        "no audience": token("RS256", aud=None),
        "expired": token("RS256", exp=now - 1),
        "no expiry": token("RS256", exp=None),
        "infinite": token("RS256", exp=float("inf")),
        "not yet": token("RS256", nbf=now + 60),
        "no subject": token("RS256", sub=None),
        "subject of a wrong type": jwt.PyJWS().encode(
            json.dumps({"iss": ISSUER, "aud": AUDIENCE, "sub": {"$ne": ""}, "exp": now + 60}).encode(),
            KEYS["RS256"],
            algorithm="RS256",
        ),
        "foreign key": token("RS256", key=rsa.generate_private_key(public_exponent=65537, key_size=2048)),
        "RS512": token("RS256", alg="RS512"),
        "PS256": token("RS256", alg="PS256"),
        "our own": token("RS256", key=TOKEN_SECRET, alg="HS256"),
        "none": token("RS256", key="", alg="none"),
        "no token": "x",
    }
    # PyJWT does not sign with a public key, but others do.
    head, _, _ = token("RS256", key=b"x" * 32, alg="HS256").rpartition(".")
    mac = get_default_algorithms()["HS256"].sign(head.encode(), pem("RS256").encode())
    bad["public key as a secret"] = f"{head}.{jwt.utils.base64url_encode(mac).decode()}"
    for name, text in bad.items():
        with pytest.raises(ApiError) as refused:
            tokens.verify(text)
        assert refused.value.code == "unauthorized", name
    assert tokens.verify(token("RS256", aud=["another", AUDIENCE])).subject == f"{ISSUER}|1"


@pytest.mark.parametrize(
    "text",
    ["", "no key", "{", "{}", '{"keys": []}', '{"keys": 1}', '{"keys": [{"kty": "RSA"}]}', "-----BEGIN PUBLIC KEY-----"],
)  # fmt: skip
def test_a_file_without_a_usable_key_stops_the_start(key_file: Path, text: str) -> None:
    """With a sentence that names the setting and the file."""
    with pytest.raises(BadSetting, match=r"^oidc_key_file: .*key\.pem"):
        verifier(key_file, text)


def test_an_absent_or_binary_key_file_stops_the_start(tmp_path: Path) -> None:
    """As above."""
    settings = Settings(oidc_issuer=ISSUER, oidc_audience=AUDIENCE, oidc_key_file=str(tmp_path / "key.pem"))
    with pytest.raises(BadSetting, match="cannot read .*: No such file"):
        Tokens(settings, TOKEN_SECRET, Clock())
    (tmp_path / "key.pem").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadSetting, match="oidc_key_file: "):
        Tokens(settings, TOKEN_SECRET, Clock())


# Through the server


async def test_a_person_is_made_at_first_sight(trusting: Server) -> None:
    """From `sub` and the name; the second token of the same `sub` is the same person, renamed or not."""
    async with trusting as server:
        status, me = await server.call("GET", "/auth/me", token=token(preferred_username="ann"))
        assert status == 200
        assert (me["username"], me["display_name"]) == ("ann", "ann")
        assert (me["invisible"], me["share_location"]) == (False, True)
        _, again = await server.call("GET", "/auth/me", token=token(preferred_username="anna"))
        assert again == me
        _, other = await server.call("GET", "/auth/me", token=token(sub="2", preferred_username="bob"))
        assert other["id"] != me["id"]
        socket = await server.connect(token=token())
        assert (await socket.next("connected"))["user_id"] == me["id"]
        status, ticket = await server.call("POST", "/auth/ticket", token=token())
        socket = await server.connect(query=f"?ticket={ticket['ticket']}")
        assert (await socket.next("connected"))["user_id"] == me["id"]


async def test_a_name_is_made_to_fit_and_to_be_free(trusting: Server) -> None:
    """Whatever the provider calls somebody, the username is ours, and nobody else's."""
    async with trusting as server:
        names = [
            "ann",
            "ANN",
            "Ann Ångström",
            "a",
            "",
            None,
            "x" * 100,
            "🐎🐎🐎",
            "\ud800abc",
            {"$ne": ""},
            "line\n",
        ]
        users = []
        for number, name in enumerate(names):
            status, me = await server.call(
                "GET", "/auth/me", token=token(sub=str(number), preferred_username=name)
            )
            assert status == 200, (name, me)
            users.append(me)
        usernames = [user["username"] for user in users]
        assert len({name.lower() for name in usernames}) == len(names)
        assert usernames[0] == "ann"
        assert usernames[1].startswith("ANN-")
        assert usernames[2] == "Ann--ngstr-m"
        assert users[2]["display_name"] == "Ann Ångström"
        for user in users:
            found = await server.call("GET", f"/users?username={user['username']}", token=token(sub="0"))
            assert found[1]["id"] == user["id"]
            assert 3 <= len(user["username"]) <= 32
            assert 1 <= len(user["display_name"]) <= 64


async def test_two_first_sights_at_once_make_one_person(trusting: Server) -> None:
    """A browser that opens with several requests."""
    async with trusting as server:
        text = token(preferred_username="ann")
        answers = await asyncio.gather(*(server.call("GET", "/auth/me", token=text) for _ in range(8)))
        assert [status for status, _ in answers] == [200] * 8
        assert len({me["id"] for _, me in answers}) == 1


async def test_passwords_are_the_providers(trusting: Server) -> None:
    """Registering, signing in, refreshing and changing the password are not there."""
    async with trusting as server:
        pair = {"username": "somebody", "password": PASSWORD}
        await server.refused("not_found", "POST", "/auth/register", pair)
        await server.refused("not_found", "POST", "/auth/login", pair)
        await server.refused("not_found", "POST", "/auth/refresh", {"refresh_token": "x"})
        body = {"old": PASSWORD, "new": PASSWORD}
        await server.refused("not_found", "POST", "/auth/password", body, token=token())


async def test_our_own_tokens_are_not_taken(new_server: Callable[..., Server], trusting: Server) -> None:
    """Once a provider is trusted, nothing else is."""
    async with new_server() as before:
        ann = await before.person()
    async with trusting as server:
        await server.refused("unauthorized", "GET", "/auth/me", token=ann.token)


async def test_signing_out_ends_the_providers_session(trusting: Server) -> None:
    """Every token with its `sid`, and the sockets; another session of the same person stays."""
    async with trusting as server:
        mine, later, other = token(sid="a"), token(sid="a", jti="2"), token(sid="b")
        sockets = []
        for text in (mine, later, other):
            sockets.append(await server.connect(token=text))
            await sockets[-1].next("connected")
        assert await server.call("POST", "/auth/logout", token=mine) == (204, None)
        assert await sockets[0].ended() == (4003, "logged out")
        assert await sockets[1].ended() == (4003, "logged out")
        for text in (mine, later):
            await server.refused("unauthorized", "GET", "/auth/me", token=text)
        await sockets[2].ask("pong", type="ping")


async def test_deleting_an_account_closes_all_of_its_sockets(trusting: Server) -> None:
    """Those of other sessions too. Until such tokens have run out they make nobody; after that, a new person."""
    async with trusting as server:
        mine, other = token(sid="a", preferred_username="ann"), token(sid="b")
        _, me = await server.call("GET", "/auth/me", token=mine)
        socket = await server.connect(token=other)
        await socket.next("connected")
        assert await server.call("DELETE", "/auth/me", token=mine) == (204, None)
        assert await socket.ended() == (4003, "logged out")
        await server.refused("unauthorized", "GET", "/auth/me", token=mine)
        bob = token(sub="2")
        await server.refused("not_found", "GET", f"/users/{me['id']}", token=bob)
        await server.refused("unauthorized", "GET", "/auth/me", token=other)
        assert await (await server.connect(token=other)).ended() == (4001, "this account is deleted")
        server.clock.advance(86_400 + 1)
        late = token(preferred_username="ann", exp=int(time.time()) + 100_000)
        status, again = await server.call("GET", "/auth/me", token=late)
        assert (status, again["username"]) == (200, "ann")
        assert again["id"] != me["id"]


async def test_the_name_claim_is_a_setting(new_server: Callable[..., Server], key_file: Path) -> None:
    """With the standard `name` where it is missing."""
    changes = {"oidc_issuer": ISSUER, "oidc_audience": AUDIENCE, "oidc_key_file": str(key_file)}
    async with new_server(**changes, oidc_name_claim="nick") as server:
        _, ann = await server.call("GET", "/auth/me", token=token(nick="ann", preferred_username="x"))
        _, bob = await server.call("GET", "/auth/me", token=token(sub="2", name="bob"))
        assert (ann["username"], bob["username"]) == ("ann", "bob")
