"""What a token's header asks the server to do: it names a key, and nothing in it makes the server fetch or trust one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from jwt.algorithms import get_default_algorithms

from tests.harness import TOKEN_SECRET, Server
from tests.server.test_identity_provider import AUDIENCE, ISSUER, KEYS, jwk, pem, token

ATTACKER = ed25519.Ed25519PrivateKey.generate()
ATTACKERS_JWK = json.loads(get_default_algorithms()["EdDSA"].to_jwk(ATTACKER.public_key()))

# Names of keys that are no names: paths, queries, URLs, other types.
KIDS: list[Any] = [
    "../../../../dev/null",
    "/dev/null",
    "/etc/passwd",
    "file:///dev/null",
    "https://attacker.example/key.pem",
    "' UNION SELECT 'key' --",
    "x' OR '1'='1",
    '{"$ne": null}',
    "| cat /etc/passwd",
    "unknown",
    "",
    "\u0000",
    "x" * 3000,
    "RS256 ",
]
OTHER_TYPES: list[Any] = [["EdDSA"], {"$ne": None}, 1, True]
REMOTE: list[dict[str, Any]] = [
    {"jwk": ATTACKERS_JWK},
    {"jwk": {**ATTACKERS_JWK, "kid": "EdDSA"}, "kid": "EdDSA"},
    {"jku": "http://127.0.0.1:1/jwks.json"},
    {"jku": "http://127.0.0.1:1/jwks.json", "kid": "EdDSA"},
    {"x5u": "http://127.0.0.1:1/cert.pem"},
    {"x5c": ["MIIB"]},
    {"x5t": "AAAA", "kid": "EdDSA"},
]


def signed(key: Any, algorithm: str, payload: dict[str, Any], header: dict[str, Any]) -> str:
    """Whatever is in the header: PyJWT would refuse to make some of these."""
    encode = jwt.utils.base64url_encode
    head = encode(json.dumps({"alg": algorithm, "typ": "JWT", **header}).encode())
    body = head + b"." + encode(json.dumps(payload).encode())
    algorithms = get_default_algorithms()[algorithm]
    return (body + b"." + encode(algorithms.sign(body, algorithms.prepare_key(key)))).decode()


async def refused(server: Server, text: str) -> None:
    """Over REST and on a socket."""
    sentence = await server.refused("unauthorized", "GET", "/auth/me", token=text)
    assert sentence == "the token is not valid"
    assert await (await server.connect(token=text)).ended() == (4001, sentence)


@pytest.fixture
def provider(new_server: Callable[..., Server], tmp_path: Path) -> Server:
    """A server that trusts a provider with several keys."""
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [jwk(name, kid=name) for name in KEYS]}))
    return new_server(oidc_issuer=ISSUER, oidc_audience=AUDIENCE, oidc_key_file=str(path))


def claims() -> dict[str, Any]:
    payload: dict[str, Any] = jwt.decode(token(), options={"verify_signature": False})
    return payload


async def test_a_key_is_one_of_the_set_or_none(provider: Server) -> None:
    """Whoever signed: the provider's own signature under a name that is none of its keys' holds nothing either."""
    async with provider as server:
        for kid in (*KIDS, *OTHER_TYPES):
            await refused(server, signed(ATTACKER, "EdDSA", claims(), {"kid": kid}))
            await refused(server, signed(KEYS["EdDSA"], "EdDSA", claims(), {"kid": kid}))
        good = signed(KEYS["EdDSA"], "EdDSA", claims(), {"kid": "EdDSA"})
        assert (await server.call("GET", "/auth/me", token=good))[0] == 200


async def test_a_key_that_the_token_brings_along_is_not_looked_at(provider: Server) -> None:
    """Neither the one in it nor the one that it names a place for: nothing is fetched."""
    async with provider as server:
        for header in REMOTE:
            await refused(server, signed(ATTACKER, "EdDSA", claims(), header))
        # Beside the provider's own signature and a name of its set they are mere words.
        good = signed(KEYS["EdDSA"], "EdDSA", claims(), {**REMOTE[3], **REMOTE[0], "kid": "EdDSA"})
        assert (await server.call("GET", "/auth/me", token=good))[0] == 200


async def test_an_empty_or_a_public_key_is_no_secret(provider: Server) -> None:
    """HMAC under what everybody knows: nothing, the provider's keys in any form, the name of the key."""
    async with provider as server:
        public = [pem(name) for name in KEYS] + [json.dumps(jwk(name)) for name in KEYS]
        for secret in ("", "\0", "EdDSA", *public, *(text.strip() for text in public)):
            for algorithm in ("HS256", "HS512"):
                text = hmac_signed(secret.encode(), algorithm, claims(), {"kid": "EdDSA"})
                await refused(server, text)
        await refused(server, signed(TOKEN_SECRET, "HS256", claims(), {"kid": "EdDSA"}))


async def test_no_algorithm_in_any_spelling_holds(provider: Server) -> None:
    """With and without a signature."""
    async with provider as server:
        for spelling in ("none", "None", "NONE", "nOnE", "", "null"):
            text = signed(KEYS["EdDSA"], "EdDSA", claims(), {"alg": spelling, "kid": "EdDSA"})
            await refused(server, text)
            await refused(server, text.rpartition(".")[0] + ".")


async def test_what_a_header_demands_and_nobody_knows_is_refused(provider: Server) -> None:
    """`crit` (RFC 7515 §4.1.11), and a payload that is no base64 (RFC 7797)."""
    async with provider as server:
        for header in ({"crit": ["exp"], "exp": 1}, {"crit": ["unknown"]}, {"b64": False, "crit": ["b64"]}):
            await refused(server, signed(KEYS["EdDSA"], "EdDSA", claims(), {"kid": "EdDSA", **header}))


async def test_a_subject_that_is_nobody_is_refused(provider: Server) -> None:
    """An empty one, one of another type: they would all be one person."""
    async with provider as server:
        for subject in ("", None, 1, ["1"], {"$ne": ""}, True):
            payload = {**claims(), "sub": subject}
            await refused(server, signed(KEYS["EdDSA"], "EdDSA", payload, {"kid": "EdDSA"}))


async def test_our_own_tokens_have_one_key_whatever_they_name(server: Server) -> None:
    """A name is not looked at; a signature under anything but the secret holds nothing."""
    ann = await server.person()
    payload: dict[str, Any] = jwt.decode(ann.token, options={"verify_signature": False})
    for kid in (*KIDS, *OTHER_TYPES):
        for secret in (b"", b"\0", str(kid).encode()):
            await refused(server, hmac_signed(secret, "HS256", payload, {"typ": "at+jwt", "kid": kid}))
    for header in REMOTE:
        await refused(server, signed(ATTACKER, "EdDSA", payload, {"typ": "at+jwt", **header}))
    good = hmac_signed(TOKEN_SECRET, "HS256", payload, {"typ": "at+jwt", "kid": "../../dev/null"})
    assert (await server.call("GET", "/auth/me", token=good))[0] == 200


def hmac_signed(secret: bytes, algorithm: str, payload: dict[str, Any], header: dict[str, Any]) -> str:
    """Under any secret: PyJWT would refuse some."""
    encode = jwt.utils.base64url_encode
    head = encode(json.dumps({"alg": algorithm, "typ": "JWT", **header}).encode())
    body = head + b"." + encode(json.dumps(payload).encode())
    return (body + b"." + encode(get_default_algorithms()[algorithm].sign(body, secret))).decode()
