"""Every setting, once: its name, environment variable, command-line option, default and reason.

`run.py` makes its options from this table, `docs/operations.md` prints it, and a test holds the
two together. Values come from the command line, else the environment, else the default.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from server.addresses import Network, networks

# What a browser sends as `Origin`, or an app that is one (capacitor://localhost). `null` is every sandboxed page's.
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@\s,*]+")

LEAST_CELL: Final = 0.001  # of position_grid: far finer, and a coordinate has no cell that a double can tell
SECRET: Final = frozenset({"mongodb_uri", "token_secret", "master_keys", "turn_secret"})


# Different ones in a token secret: 32 random bytes have 16 as hexadecimal digits and more in other forms, and one in
# 10^11 has fewer than this; `changeme-changeme-changeme-changeme` has 8.
FEWEST_CHARACTERS: Final = 10


class BadSetting(Exception):
    """A setting that the server cannot start with; the text says which and why, never its value if secret."""


def setting(default: Any, help: str, *, env: str | None = None, choices: Sequence[str] = ()) -> Any:
    return dataclasses.field(default=default, metadata={"help": help, "env": env, "choices": tuple(choices)})


@dataclass(frozen=True, kw_only=True)
class Settings:
    # Where it listens
    host: str = setting("127.0.0.1", "address to listen on")
    port: int = setting(8000, "port to listen on; 0 takes a free one")
    tls_cert: str = setting("", "certificate chain (PEM): serve https and wss by ourselves")
    tls_key: str = setting("", "the certificate's private key (PEM)")
    allowed_origins: tuple[str, ...] = setting(
        (),
        "origins, besides the server's own, that browsers may call from (comma-separated, https://host[:port])",
    )
    trusted_proxies: tuple[str, ...] = setting(
        (), "proxies whose X-Forwarded-For is believed: addresses and networks (comma-separated, 10.0.0.0/8)"
    )
    token_in_url: bool = setting(
        True, "whether a WebSocket takes `?token=`: off where URLs end in logs; tickets stay"
    )
    metrics: str = setting(
        "loopback",
        "who may read /metrics: a proxied request counts as foreign",
        choices=("loopback", "everyone", "off"),
    )
    statistics: bool = setting(
        True, "whether the open counters (/chat/stats, /ws/stats, /webrtc/active-calls) answer"
    )
    log_format: str = setting("text", "how log lines are written", choices=("text", "json"))
    log_level: str = setting(
        "info", "the least level that is logged", choices=("debug", "info", "warning", "error")
    )

    # Where things are kept
    data_dir: Path = setting(
        Path("data"), "folder of the local database and of the secrets made at the first run"
    )
    mongodb_uri: str = setting(
        "", "a MongoDB replica set; without it a local one is started", env="MONGODB_URI"
    )
    mongodb_database: str = setting("hereabouts", "name of the database")
    master_keys: str = setting(
        "", "master keys, Fernet format, newest first; without it a file in the data folder"
    )
    storage_timeout: float = setting(
        5.0,
        "seconds until a storage call is given up: below the heartbeat, so that waiting never looks like silence",
    )
    retention_days: int = setting(0, "days that messages are kept; 0 keeps them")
    land_retention_days: int = setting(-1, "the same for lands and for speech; -1: as retention_days")

    # Who people are
    token_secret: str = setting(
        "", "HMAC key of the access tokens, 32 bytes or more; without it a file in the data folder"
    )
    token_seconds: int = setting(900, "life of an access token: how long a stolen one serves")
    refresh_days: int = setting(
        30, "life of a refresh token: how long one may stay away without signing in again"
    )
    oidc_issuer: str = setting("", "trust this identity provider's tokens instead of our own")
    oidc_audience: str = setting("", "the audience that its tokens must name")
    oidc_key_file: str = setting("", "its public key (PEM) or key set (JWKS)")
    oidc_name_claim: str = setting("preferred_username", "the claim that a new person's name is taken from")

    # Limits
    nearby_bytes: float = setting(
        65_536.0,
        "bytes a second that one who watches is told of moves around: 100 people at ten steps a second; in a"
        " crowd the nearest come first, the others in turns",
    )
    rate_limits: bool = setting(
        True, "off takes away rates, throttles and caps on connections, for benchmarks"
    )
    request_rate: float = setting(
        50.0, "requests a second on one socket, on average: ten times a busy game client"
    )
    request_burst: float = setting(250.0, "requests at once on one socket: five seconds' worth")
    user_request_rate: float = setting(
        200.0, "requests a second of one user, sockets and REST together: four busy clients"
    )
    user_request_burst: float = setting(1000.0, "requests at once of one user")
    address_request_rate: float = setting(
        5000.0, "requests a second on the sockets of one address: a thousand game clients behind one router"
    )
    address_request_burst: float = setting(25_000.0, "requests at once on the sockets of one address")
    flood_refusals: int = setting(
        500, "requests refused, less those served since, after which a socket is closed with 4029"
    )
    login_rate: float = setting(
        1.0, "sign-ins and sign-ups a second for one address: each costs 45 ms of a core"
    )
    login_burst: float = setting(
        200.0, "sign-ins and sign-ups at once for one address: a school behind one router"
    )
    account_login_burst: int = setting(
        10, "wrong passwords for one account before it has to wait, each time twice as long"
    )
    address_login_burst: int = setting(
        200, "the same for one address, whatever the accounts: a school's slips of a morning"
    )
    login_delay: float = setting(
        300.0,
        "longest wait after a wrong password, in seconds: 288 guesses a day, and nobody is locked out for long",
    )
    rest_rate: float = setting(
        100.0, "REST requests a second for one address, on average: a school behind one router"
    )
    rest_burst: float = setting(1000.0, "REST requests at once for one address")
    connect_rate: float = setting(
        500.0,
        "sockets opened a second, by everybody: half of what a core can, so that those inside notice little",
    )
    connect_burst: float = setting(500.0, "sockets opened at once, before the others are told when to come")
    sign_ins_waiting: int = setting(
        100, "sign-ins, sign-ups and refreshes under way, of each kind: two seconds of hashing"
    )
    connections_per_user: int = setting(20, "sockets of one user: devices and tabs, generously")
    connections_per_address: int = setting(
        2000, "sockets of one address: a school behind one router, a thousand people with both"
    )
    message_bytes: int = setting(65_536, "largest WebSocket message: the contract's 64 KiB")
    body_bytes: int = setting(65_536, "largest REST body: nothing we take is longer than a message")
    buffer_bytes: int = setting(
        1_048_576, "bytes that may wait for one slow reader: some 3,000 messages, a minute of a lively room"
    )
    recent_bytes: int = setting(
        67_108_864,
        "memory for the newest messages of rooms, read from there: 1,024 each of some 100 lively rooms",
    )
    requests_in_flight: int = setting(
        64, "messages of one socket that may await their commit before it is read on"
    )
    land_side: float = setting(1000.0, "longest side of a land, in units")
    lands_per_user: int = setting(20, "lands that one user may own")
    group_members: int = setting(200, "people in a group session")
    password_workers: int = setting(
        2, "threads that hash passwords: more would starve the loop of the machine"
    )

    # The world
    heartbeat_seconds: float = setting(30.0, "seconds between pings; silent for two of them is gone")
    offline_seconds: float = setting(3.0, "seconds that somebody may be away before others are told")
    position_grid: float = setting(
        0.0,
        "side of the cells, in units, by which others learn where somebody is; 0 tells them exactly,"
        " as worlds want in which figures see each other walk",
    )
    max_speed: float = setting(
        0.0, "units a second that somebody may move, faster is refused; 0 lets everybody jump"
    )
    calls: str = setting(
        "anyone",
        "who may call whom: anyone not blocked, or those who know each other",
        choices=("anyone", "known"),
    )
    ring_seconds: float = setting(30.0, "seconds a phone rings")
    rejoin_seconds: float = setting(10.0, "seconds that a call waits for a lost connection")
    stun_urls: tuple[str, ...] = setting((), "STUN servers (stun:host:port), comma-separated")
    turn_urls: tuple[str, ...] = setting((), "TURN servers (turn:host:port), comma-separated")
    turn_secret: str = setting("", "the secret shared with the TURN servers (coturn: static-auth-secret)")
    turn_seconds: int = setting(3600, "life of a TURN credential: the longest call that needs no new one")
    shutdown_seconds: float = setting(
        20.0, "longest that stopping may take: below the 30 s most supervisors grant"
    )

    def __post_init__(self) -> None:
        if bool(self.tls_cert) != bool(self.tls_key):
            raise BadSetting("tls_cert and tls_key go together: give both or neither")
        if self.token_secret and len(self.token_secret.encode()) < 32:
            raise BadSetting(
                "token_secret is shorter than 32 bytes (RFC 7518 §3.2): make one with `openssl rand -base64 48`"
            )
        if self.token_secret and len(set(self.token_secret)) < FEWEST_CHARACTERS:
            raise BadSetting(
                "token_secret is an example, not a random one: make one with `openssl rand -base64 48`"
            )
        if self.oidc_issuer and not (self.oidc_audience and self.oidc_key_file):
            raise BadSetting("oidc_issuer needs oidc_audience and oidc_key_file")
        if self.turn_urls and not self.turn_secret:
            raise BadSetting("turn_urls needs turn_secret")
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.metadata["choices"] and value not in field.metadata["choices"]:
                raise BadSetting(
                    f"{field.name}: expected one of {', '.join(field.metadata['choices'])}, got {value!r}"
                )
            least = -1 if field.name == "land_retention_days" else 0
            if (
                isinstance(value, int | float)
                and not isinstance(value, bool)
                and not least <= value < float("inf")
            ):
                raise BadSetting(f"{field.name}: expected a number from {least} up, got {value}")
        if self.port > 65_535:
            # The resolver takes it modulo 65,536: we would listen somewhere else.
            raise BadSetting(f"port: expected 65535 at most, got {self.port}")
        if 0 < self.position_grid < LEAST_CELL:
            raise BadSetting(f"position_grid: expected 0, or {LEAST_CELL} or more, got {self.position_grid}")
        for name in (
            "heartbeat_seconds",
            "request_rate",
            "connect_rate",
            "rest_rate",
            "login_rate",
            "login_delay",
            "user_request_rate",
            "address_request_rate",
            "storage_timeout",
            "password_workers",
        ):
            if getattr(self, name) <= 0:
                raise BadSetting(f"{name}: expected more than 0, got {getattr(self, name)}")

        try:
            networks(self.trusted_proxies)
        except ValueError as error:
            raise BadSetting(f"trusted_proxies: {error}") from None
        for origin in self.allowed_origins:
            if not _ORIGIN.fullmatch(origin):
                raise BadSetting(f"allowed_origins: expected https://host[:port], got {origin!r}")

    @cached_property
    def proxies(self) -> tuple[Network, ...]:
        return networks(self.trusted_proxies)

    @property
    def tls(self) -> bool:
        return bool(self.tls_cert)

    @property
    def message_retention_days(self) -> tuple[int, int]:
        """Days for private and group sessions, and for lands and speech; 0 keeps."""
        lands = self.land_retention_days
        return self.retention_days, self.retention_days if lands < 0 else lands


def env_name(field: dataclasses.Field[Any]) -> str:
    return field.metadata["env"] or f"HEREABOUTS_{field.name.upper()}"


def add_options(parser: argparse.ArgumentParser) -> None:
    """One `--option` for each setting; secrets have none, since a command line is seen by everybody on the machine."""
    for field in dataclasses.fields(Settings):
        if field.name in SECRET - {"mongodb_uri"}:
            continue
        parser.add_argument(
            "--" + field.name.replace("_", "-"),
            dest=field.name,
            metavar="|".join(field.metadata["choices"]) or field.name.rpartition("_")[2].upper(),
            help=f"{field.metadata['help']} [{env_name(field)}; {shown_default(field)}]".replace("%", "%%"),
        )


def shown_default(field: dataclasses.Field[Any]) -> str:
    """A default as help and documentation print it."""
    if isinstance(field.default, bool):
        return "on" if field.default else "off"
    if isinstance(field.default, tuple):
        return ",".join(field.default) or "none"
    return str(field.default) or "none"


def table() -> str:
    """Every setting as a Markdown table, for `docs/operations.md`: `python -m server.settings` prints it."""
    rows = ["| setting | environment variable | default | what it is, and why so |", "|---|---|---|---|"]
    for field in dataclasses.fields(Settings):
        help = field.metadata["help"]
        if field.metadata["choices"]:
            help += f" ({', '.join(field.metadata['choices'])})"
        rows.append(f"| `{field.name}` | `{env_name(field)}` | {shown_default(field)} | {help} |")
    return "\n".join(rows) + "\n"


def load(options: Mapping[str, str | None], environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from given options, else the environment, else the defaults; `BadSetting` names the wrong one."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(Settings):
        text = options.get(field.name)
        if text is None:
            text = environment.get(env_name(field))
        if text is not None:
            values[field.name] = _parse(field, text.strip())
    known = {env_name(field) for field in dataclasses.fields(Settings)}
    for name in environment:
        if name.startswith("HEREABOUTS_") and name not in known:
            raise BadSetting(f"{name} is no setting; `python run.py --help` lists them")
    return Settings(**values)


def _parse(field: dataclasses.Field[Any], text: str) -> Any:
    default = field.default
    if isinstance(default, bool):
        if text.lower() not in ("on", "off"):
            raise BadSetting(f"{field.name}: expected on or off, got {text!r}")
        return text.lower() == "on"
    if isinstance(default, tuple):
        return tuple(part.strip().rstrip("/") for part in text.split(",") if part.strip())
    if isinstance(default, Path):
        return Path(text)
    if isinstance(default, int | float):
        try:
            return type(default)(text)
        except ValueError:
            raise BadSetting(f"{field.name}: expected a number, got {text!r}") from None
    return text


if __name__ == "__main__":
    print(table(), end="")  # noqa: T201
