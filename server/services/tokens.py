"""Access tokens, tickets, and which logins have ended. No I/O but reading a key file at the start.

Our own tokens are HS256 JWTs (RFC 7519) of fixed type, issuer and audience; with an identity
provider configured, its tokens are verified instead and ours are not made at all.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import jwt
import msgspec
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.algorithms import HMACAlgorithm
from jwt.types import Options

from server.clock import Clock
from server.codec import Decoder
from server.errors import ApiError, unauthorized
from server.ids import digest, new_secret
from server.settings import BadSetting, Settings

TYPE: Final = "at+jwt"  # RFC 9068 §2.1: keeps other JWTs under the same key from serving as access tokens
PROVIDER_ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
TICKET_SECONDS: Final = 30
TICKETS: Final = 100_000  # waiting at one time; 100 bytes each


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says. `user_id` is the provider's `sub` where `subject` is set, until it is looked up."""

    user_id: str
    login_id: str
    expires_at: int  # milliseconds
    subject: str | None = None
    name: str | None = None


class _OwnClaims(msgspec.Struct):
    """What a token of ours has to say."""

    iss: Literal["hereabouts"]
    aud: Literal["hereabouts"]
    sub: str
    sid: str
    exp: float
    nbf: float = 0.0


class _OwnAlgorithm(HMACAlgorithm):
    """HS256 with one key, made sure of once: PyJWT tries at every token to read it as a key of another kind."""

    def __init__(self, key: bytes) -> None:
        super().__init__(HMACAlgorithm.SHA256)
        self._key = super().prepare_key(key)

    def prepare_key(self, key: str | bytes) -> bytes:
        return self._key


class Tokens:
    """Issues and verifies; remembers ended logins until their last token has run out."""

    def __init__(self, settings: Settings, secret: bytes, clock: Clock) -> None:
        self._clock = clock
        self._secret = secret
        self._signatures = jwt.PyJWS(algorithms=[])
        self._signatures.register_algorithm("HS256", _OwnAlgorithm(secret))
        self._claims = Decoder(_OwnClaims)
        self._seconds = settings.token_seconds
        self._ended: dict[str, int] = {}
        self._tickets: OrderedDict[str, tuple[Claims, int]] = OrderedDict()
        self._provider = _Provider(settings) if settings.oidc_issuer else None

    @property
    def from_provider(self) -> bool:
        """Whether an identity provider vouches for people, instead of passwords kept here."""
        return self._provider is not None

    @property
    def seconds(self) -> int:
        return self._seconds

    def issue(self, user_id: str, login_id: str) -> str:
        now = self._clock.now() // 1000
        claims = {
            "iss": "hereabouts",
            "aud": "hereabouts",
            "sub": user_id,
            "sid": login_id,
            "iat": now,
            "exp": now + self._seconds,
        }
        return jwt.encode(claims, self._secret, algorithm="HS256", headers={"typ": TYPE})

    def verify(self, token: str) -> Claims:
        """The claims of a token that holds now; `unauthorized` with the reason otherwise."""
        try:
            now = self._clock.now()
            claims = self._provider.verify(token, now) if self._provider else self._verify_own(token, now)
        except jwt.ExpiredSignatureError:
            raise unauthorized("the token has expired") from None
        # A token under another algorithm than the key's is an `InvalidKeyError`, or a `TypeError`.
        except (jwt.PyJWTError, ApiError, ValueError, TypeError, OverflowError):
            raise unauthorized("the token is not valid") from None
        self.check_login(claims)
        return claims

    def check_login(self, claims: Claims) -> None:
        if claims.login_id in self._ended:
            raise unauthorized("the token has been revoked")

    def _verify_own(self, token: str, now: int) -> Claims:
        verified = self._signatures.decode_complete(token, algorithms=["HS256"])
        if verified["header"].get("typ") != TYPE:
            raise jwt.InvalidTokenError("not an access token")
        claims: _OwnClaims = self._claims.decode(verified["payload"])
        return Claims(claims.sub, claims.sid, _expiry(claims.exp, claims.nbf, now))

    # Logins that have ended

    def end_login(self, login_id: str, until: int) -> None:
        now = self._clock.now()
        for ended in [ended for ended, kept in self._ended.items() if kept < now]:
            del self._ended[ended]
        self._ended[login_id] = until

    def load_ended(self, ended: Iterable[tuple[str, int]]) -> None:
        self._ended.update(ended)

    # Tickets: what a WebSocket URL may carry in a token's place, since URLs end in logs

    def issue_ticket(self, claims: Claims) -> str:
        now = self._clock.now()
        while self._tickets:
            _, expires_at = next(iter(self._tickets.values()))
            if expires_at > now and len(self._tickets) < TICKETS:
                break
            self._tickets.popitem(last=False)
        ticket = new_secret()
        self._tickets[ticket] = (claims, now + TICKET_SECONDS * 1000)
        return ticket

    def use_ticket(self, ticket: str) -> Claims:
        claims, expires_at = self._tickets.pop(ticket, (None, 0))
        if claims is None or min(expires_at, claims.expires_at) <= self._clock.now():
            raise unauthorized("the ticket is unknown, used or expired")
        self.check_login(claims)
        return claims


def _expiry(expires: Any, starts: Any, now: int) -> int:
    """`exp` in milliseconds, if the token holds `now` (RFC 7519 §4.1.4, §4.1.5)."""
    if not isinstance(expires, int | float) or not isinstance(starts, int | float):
        raise jwt.DecodeError("expected numbers as exp and nbf")
    if expires * 1000 <= now:
        raise jwt.ExpiredSignatureError
    if starts * 1000 > now:
        raise jwt.ImmatureSignatureError
    return int(expires * 1000)


# PyJWT would compare times with the machine's clock; `_expiry` does with the one that is passed in.
_OPTIONS: Final[Options] = {
    "require": ["exp", "sub", "iss", "aud"],
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
}


class _Provider:
    """An identity provider's verification keys: one PEM key, or a JWKS (RFC 7517) chosen from by `kid`."""

    def __init__(self, settings: Settings) -> None:
        self._issuer = settings.oidc_issuer
        self._audience = settings.oidc_audience
        self._name_claim = settings.oidc_name_claim
        path = Path(settings.oidc_key_file)
        try:
            text = path.read_text(errors="replace")
        except OSError as error:
            raise BadSetting(f"oidc_key_file: cannot read {path}: {error.strerror}") from None
        self._keys: dict[str | None, Any] = {}
        if text.lstrip().startswith("{"):
            try:
                for key in jwt.PyJWKSet.from_dict(json.loads(text)).keys:
                    self._keys[key.key_id] = key.key
            except (jwt.PyJWTError, ValueError) as error:
                raise BadSetting(f"oidc_key_file: {path} is no key set: {error}") from None
        else:
            try:
                self._keys[None] = load_pem_public_key(text.encode())
            except ValueError:
                raise BadSetting(
                    f"oidc_key_file: {path} holds neither a public key (PEM) nor a key set"
                ) from None

    def verify(self, token: str, now: int) -> Claims:
        header = jwt.get_unverified_header(token)
        key = self._keys.get(header.get("kid")) or self._keys.get(None)
        if key is None and len(self._keys) == 1 and "kid" not in header:
            key = next(iter(self._keys.values()))
        if key is None:
            raise jwt.InvalidTokenError("unknown key")
        payload = jwt.decode(
            token,
            key,
            algorithms=list(PROVIDER_ALGORITHMS),
            issuer=self._issuer,
            audience=self._audience,
            options=_OPTIONS,
        )
        if not payload["sub"]:
            raise jwt.InvalidTokenError("expected a subject, got an empty one")
        # A provider's own session (`sid`) where it names one; else the token itself is the login.
        login = payload.get("sid") or payload.get("jti") or digest(token).hex()
        name = payload.get(self._name_claim) or payload.get("name")
        # Lone surrogates, which JSON lets in and no store takes: an identity with them is none, a name loses them.
        f"{login}{payload['sub']}".encode()
        return Claims(
            user_id="",
            login_id=f"{self._issuer}|{login}",
            expires_at=_expiry(payload["exp"], payload.get("nbf", 0), now),
            subject=f"{self._issuer}|{payload['sub']}",
            name=name.encode(errors="ignore").decode() if isinstance(name, str) else None,
        )
