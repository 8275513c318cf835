"""The small values everything is made of: times, ids, secrets, JSON."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.clock import Clock, rfc3339
from server.codec import Decoder, encode
from server.errors import ApiError
from server.ids import digest, new_id, new_secret
from server.protocol import requests


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1, "1970-01-01T00:00:00.001Z"),
        (999, "1970-01-01T00:00:00.999Z"),
        (951_782_400_050, "2000-02-29T00:00:00.050Z"),
        (1_767_225_599_999, "2025-12-31T23:59:59.999Z"),
    ],
)
def test_times_are_rfc_3339_in_utc_with_milliseconds(milliseconds: int, text: str) -> None:
    """Always three digits, always `Z`."""
    assert rfc3339(milliseconds) == text


@given(st.integers(0, 4_102_444_800_000))
def test_a_time_reads_back_as_itself(milliseconds: int) -> None:
    """With anybody's parser."""
    assert round(datetime.fromisoformat(rfc3339(milliseconds)).timestamp() * 1000) == milliseconds


def test_the_clock_is_the_machines() -> None:
    """In milliseconds since the epoch."""
    before = datetime.now(UTC).timestamp() * 1000
    assert before - 1 <= Clock().now() <= time.time() * 1000 + 1


def test_an_id_is_a_uuid_of_version_7() -> None:
    """RFC 9562: time first, so that later ones sort later; nothing in the rest to guess."""
    before = time.time_ns() // 1_000_000
    ids = [new_id() for _ in range(1000)]
    after = time.time_ns() // 1_000_000
    assert len(set(ids)) == 1000
    for text in ids:
        assert re.fullmatch(r"[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}", text)
        assert before <= int(text[:12], 16) <= after
    assert [text[:12] for text in ids] == sorted(text[:12] for text in ids)


def test_a_secret_fits_a_url_and_its_digest_tells_nothing_of_it() -> None:
    """256 bits; the same secret has the same digest."""
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    for secret in secrets:
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", secret)
        assert digest(secret) == digest(secret)
        assert secret.encode() not in digest(secret)
    assert len({digest(secret) for secret in secrets}) == 100


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), values))
def test_what_is_written_reads_back_as_it_was(value: dict[str, Any]) -> None:
    """The writer and the reader are two libraries: every text, every number."""
    assert Decoder(Any).decode(encode(value)) == value


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        ("", "malformed|truncated"),
        ("{", "truncated"),
        ("nonsense", "malformed"),
        ("[]", "expected `object`, got `array`"),
        ("{}", "missing required field `type`"),
        ('{"type": "fly"}', r"Invalid value 'fly' \(field `type`\)"),
        ('{"type": 1}', r"expected `str` \(field `type`\)"),
        ('{"type": "join_room"}', "missing required field `room_id`"),
        ('{"type": "join_room", "room_id": ""}', r"length >= 1 \(field `room_id`\)"),
        ('{"type": "join_room", "room_id": "x", "y": 1}', "unknown field `y`"),
        ('{"type": "update_location", "x": NaN, "y": 0}', "malformed"),
        ('{"type": "update_location", "x": 1e999, "y": 0}', r"out of range \(field `x`\)"),
        ('{"type": "update_location", "x": 0, "y": 0, "radius": 51}', r"<= 50.0 \(field `radius`\)"),
        ('{"type": "ping", "ref": "\\ud800"}', "malformed|truncated"),
    ],
)
def test_a_refusal_says_what_was_expected_where(frame: str, sentence: str) -> None:
    """`invalid_message`, in words of the wire rather than of the library's types."""
    with pytest.raises(ApiError, match=sentence) as refused:
        Decoder(requests.ChatRequest).decode(frame)
    assert refused.value.code == "invalid_message"
    assert "$" not in refused.value.message


@given(st.text() | st.binary(max_size=200) | values.map(lambda value: encode({"type": "ping", "ref": value})))
def test_no_input_is_anything_but_a_request_or_a_refusal(frame: str | bytes) -> None:
    """Whatever bytes or text come."""
    try:
        request = Decoder(requests.ChatRequest).decode(frame)
    except ApiError as error:
        assert error.code == "invalid_message"
    else:
        assert isinstance(request, requests.Ping)
