"""Settings: where they come from, and what is refused with which sentence."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from server import settings
from server.settings import SECRET, BadSetting, Settings, env_name, load


def options(*arguments: str) -> dict[str, str | None]:
    parser = argparse.ArgumentParser()
    settings.add_options(parser)
    return vars(parser.parse_args(arguments))


def test_without_options_and_environment_the_defaults_hold() -> None:
    """What the table says is what one gets."""
    assert load(options(), {}) == Settings()


def test_an_option_wins_over_the_environment_and_that_over_the_default() -> None:
    """The nearer to the operator, the stronger."""
    environment = {"HEREABOUTS_PORT": "1", "HEREABOUTS_HOST": "0.0.0.0"}
    chosen = load(options("--port", "2"), environment)
    assert (chosen.port, chosen.host, chosen.metrics) == (2, "0.0.0.0", "loopback")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("host", "::1", "::1"),
        ("port", "8001", 8001),
        ("port", " 8001 ", 8001),
        ("rate_limits", "off", False),
        ("rate_limits", "ON", True),
        ("statistics", "off", False),
        ("request_rate", "2.5", 2.5),
        ("data_dir", "/var/lib/hereabouts", Path("/var/lib/hereabouts")),
        (
            "allowed_origins",
            "https://a.example/, https://b.example:8443,",
            ("https://a.example", "https://b.example:8443"),
        ),
        ("allowed_origins", "capacitor://localhost", ("capacitor://localhost",)),
        ("trusted_proxies", "10.0.0.0/8, ::1,192.0.2.1", ("10.0.0.0/8", "::1", "192.0.2.1")),
        ("token_in_url", "off", False),
        ("allowed_origins", "", ()),
        ("metrics", "everyone", "everyone"),
        ("calls", "known", "known"),
        ("land_retention_days", "-1", -1),
        ("mongodb_database", "elsewhere", "elsewhere"),
    ],
)
def test_each_kind_of_value_is_read(name: str, text: str, value: Any) -> None:
    """The same from the environment and, but for secrets, from an option."""
    (field,) = (field for field in dataclasses.fields(Settings) if field.name == name)
    assert getattr(load({}, {env_name(field): text}), name) == value
    assert getattr(load(options(f"--{name.replace('_', '-')}={text}"), {}), name) == value


def test_every_setting_is_an_environment_variable() -> None:
    """Named after itself, save the ones that everybody writes in the same way."""
    names = {field.name: env_name(field) for field in dataclasses.fields(Settings)}
    assert names.pop("mongodb_uri") == "MONGODB_URI"
    assert names == {name: f"HEREABOUTS_{name.upper()}" for name in names}


def test_secrets_are_no_options() -> None:
    """A command line is seen by everybody on the machine."""
    given = options().keys()
    assert SECRET - given == SECRET - {"mongodb_uri"}
    assert {field.name for field in dataclasses.fields(Settings)} - given == SECRET - {"mongodb_uri"}


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"HEREABOUTS_PORT": "http"}, "port: expected a number, got 'http'"),
        ({"HEREABOUTS_PORT": ""}, "port: expected a number, got ''"),
        ({"HEREABOUTS_PORT": "8000.5"}, "port: expected a number, got '8000.5'"),
        ({"HEREABOUTS_PORT": "-1"}, "port: expected a number from 0 up, got -1"),
        ({"HEREABOUTS_PORT": "65536"}, "port: expected 65535 at most, got 65536"),
        ({"HEREABOUTS_STORAGE_TIMEOUT": "nan"}, "storage_timeout: expected a number from 0 up, got nan"),
        ({"HEREABOUTS_STORAGE_TIMEOUT": "inf"}, "storage_timeout: expected a number from 0 up, got inf"),
        ({"HEREABOUTS_STORAGE_TIMEOUT": "0"}, "storage_timeout: expected more than 0, got 0.0"),
        ({"HEREABOUTS_HEARTBEAT_SECONDS": "0"}, "heartbeat_seconds: expected more than 0, got 0.0"),
        ({"HEREABOUTS_REQUEST_RATE": "0"}, "request_rate: expected more than 0, got 0.0"),
        ({"HEREABOUTS_REST_RATE": "0"}, "rest_rate: expected more than 0, got 0.0"),
        ({"HEREABOUTS_LOGIN_RATE": "0"}, "login_rate: expected more than 0, got 0.0"),
        ({"HEREABOUTS_LOGIN_DELAY": "0"}, "login_delay: expected more than 0, got 0.0"),
        ({"HEREABOUTS_USER_REQUEST_RATE": "0"}, "user_request_rate: expected more than 0, got 0.0"),
        ({"HEREABOUTS_ADDRESS_REQUEST_RATE": "0"}, "address_request_rate: expected more than 0, got 0.0"),
        ({"HEREABOUTS_TRUSTED_PROXIES": "10.0.0.1/8"}, "trusted_proxies: 10.0.0.1/8 has host bits set"),
        (
            {"HEREABOUTS_TRUSTED_PROXIES": "proxy.example"},
            "trusted_proxies: 'proxy.example' does not appear to be an IPv4 or IPv6 network",
        ),
        *(
            (
                {"HEREABOUTS_ALLOWED_ORIGINS": origin},
                f"allowed_origins: expected https://host[:port], got {origin!r}",
            )
            for origin in ("null", "*", "https://*.example", "game.example", "https://game.example/path")
        ),
        ({"HEREABOUTS_PASSWORD_WORKERS": "0"}, "password_workers: expected more than 0, got 0"),
        ({"HEREABOUTS_POSITION_GRID": "0.0001"}, "position_grid: expected 0, or 0.001 or more, got 0.0001"),
        ({"HEREABOUTS_MAX_SPEED": "-1"}, "max_speed: expected a number from 0 up, got -1.0"),
        ({"HEREABOUTS_RETENTION_DAYS": "-1"}, "retention_days: expected a number from 0 up, got -1"),
        ({"HEREABOUTS_LAND_RETENTION_DAYS": "-2"}, "land_retention_days: expected a number from -1 up, got -2"),
        ({"HEREABOUTS_RATE_LIMITS": "yes"}, "rate_limits: expected on or off, got 'yes'"),
        ({"HEREABOUTS_METRICS": "all"}, "metrics: expected one of loopback, everyone, off, got 'all'"),
        ({"HEREABOUTS_CALLS": "friends"}, "calls: expected one of anyone, known, got 'friends'"),
        ({"HEREABOUTS_LOG_FORMAT": "xml"}, "log_format: expected one of text, json, got 'xml'"),
        ({"HEREABOUTS_LOG_LEVEL": "all"}, "log_level: expected one of debug, info, warning, error, got 'all'"),
        ({"HEREABOUTS_TLS_CERT": "a.pem"}, "tls_cert and tls_key go together: give both or neither"),
        ({"HEREABOUTS_TLS_KEY": "a.pem"}, "tls_cert and tls_key go together: give both or neither"),
        ({"HEREABOUTS_OIDC_ISSUER": "https://id.example"}, "oidc_issuer needs oidc_audience and oidc_key_file"),
        ({"HEREABOUTS_TURN_URLS": "turn:t.example:3478"}, "turn_urls needs turn_secret"),
        ({"HEREABOUTS_PROT": "1"}, "HEREABOUTS_PROT is no setting; `python run.py --help` lists them"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_work_is_refused_in_a_sentence(
    environment: dict[str, str], sentence: str
) -> None:
    """It names the setting and what was expected."""
    with pytest.raises(BadSetting) as refused:
        load({}, environment)
    assert str(refused.value) == sentence


def test_a_short_token_secret_is_refused_without_repeating_it() -> None:
    """RFC 7518 asks for 32 bytes, which PyJWT only warns about."""
    with pytest.raises(BadSetting, match="token_secret is shorter than 32 bytes") as refused:
        load({}, {"HEREABOUTS_TOKEN_SECRET": "x1y2z3" * 5})
    assert "x1y2z3" not in str(refused.value)
    enough = "0123456789abcdefghijklmnopqrstuv"
    assert load({}, {"HEREABOUTS_TOKEN_SECRET": enough}).token_secret == enough


def test_lands_keep_messages_for_as_long_as_others_unless_told_otherwise() -> None:
    """Days for private and group sessions, then for lands; 0 keeps."""
    assert Settings().message_retention_days == (0, 0)
    assert Settings(retention_days=7).message_retention_days == (7, 7)
    assert Settings(retention_days=7, land_retention_days=0).message_retention_days == (7, 0)
    assert Settings(land_retention_days=3).message_retention_days == (0, 3)
