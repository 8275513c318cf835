"""Requests out of the server's own structs: right ones, and ones that are nearly right.

A struct's fields, their lengths and bounds are read from msgspec, so that a new request is tried as soon as it
is there. An id is a place in a list (`@3`), which `settle` exchanges for one that exists when it is sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

# What an id in a field of this name is the id of.
KNOWN: Final = {
    "room_id": "rooms",
    "call_id": "calls",
    "callee_id": "people",
    "access_token": "tokens",
}
PLACE: Final = re.compile(r"@(\d+)")

scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=10),
)
junk = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
) | st.sampled_from(
    [{"$ne": 1}, "$where", "a.b", "", "\0", "\u202e", "😀" * 65, 10**400, -(2**63), 2**64, 1e308, [[]] * 300]
)


def requests(union: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Of every type of a socket: most are right, the others have one thing wrong with them."""
    return st.one_of([_request(struct) for struct in get_args(union)])


def _request(struct: type[msgspec.Struct]) -> st.SearchStrategy[dict[str, Any]]:
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    right = _struct(info).map(lambda fields: {**fields, "type": info.tag})
    return right | right | st.builds(_spoilt, right, st.data())


def _spoilt(request: dict[str, Any], data: st.DataObject) -> dict[str, Any]:
    """With a field left out, one too many, or something else in its place."""
    name = data.draw(st.sampled_from(sorted(request)) | st.text(max_size=5))
    if name in request and data.draw(st.booleans()):
        return {key: value for key, value in request.items() if key != name}
    return {**request, name: data.draw(junk)}


def _struct(info: inspect.StructType) -> st.SearchStrategy[dict[str, Any]]:
    needed: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for field in info.fields:
        if field.name == "ref":
            continue  # the sender's, to find the answer
        (needed if field.required else optional)[field.encode_name] = _of(field.type, field.name)
    return st.fixed_dictionaries(needed, optional=optional)


def _of(info: inspect.Type, name: str) -> st.SearchStrategy[Any]:
    """A value that the type allows, often at its bounds."""
    if isinstance(info, inspect.Metadata):
        return _of(info.type, name)
    if name in KNOWN and isinstance(info, inspect.StrType):
        return st.integers(0, 5).map("@{}".format)
    if isinstance(info, inspect.StructType):
        return _struct(info)
    if isinstance(info, inspect.UnionType):
        return st.one_of([_of(each, name) for each in info.types])
    if isinstance(info, inspect.ListType):
        return st.lists(
            _of(info.item_type, name), min_size=info.min_length or 0, max_size=min(info.max_length or 5, 5)
        )
    if isinstance(info, inspect.LiteralType):
        return st.sampled_from(info.values)
    if isinstance(info, inspect.BoolType):
        return st.booleans()
    if isinstance(info, inspect.NoneType):
        return st.none()
    if isinstance(info, inspect.IntType):
        least, most = info.ge or 0, info.le or 100
        return st.integers(0, 20) | st.sampled_from([least, most])
    if isinstance(info, inspect.FloatType):
        low = 0.001 if info.ge is None else float(info.ge)
        high = 1000.0 if info.le is None else float(info.le)
        return st.floats(low, high) | st.sampled_from([low, high, 5.0])
    assert isinstance(info, inspect.StrType), info
    if info.pattern is not None:
        return st.from_regex(r"[A-Za-z0-9_.\-]{3,10}", fullmatch=True)
    least, most = info.min_length or 0, info.max_length or 1000
    # By their lengths: Hypothesis writes out what it chooses from, and balks at what is long.
    longest = st.sampled_from([least or 1, most]).map(lambda length: "x" * length)
    return st.text(min_size=least, max_size=min(most, 20)) | longest


def settle(value: Any, known: Mapping[str, Sequence[str]], name: str = "") -> Any:
    """The request with each place exchanged for what is there: the newest first, or an id of nothing."""
    if isinstance(value, dict):
        return {key: settle(inner, known, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [settle(inner, known, name) for inner in value]
    if name in KNOWN and isinstance(value, str) and (place := PLACE.fullmatch(value)):
        ids = known[KNOWN[name]]
        number = int(place.group(1))
        return ids[-1 - number] if number < len(ids) else "01a00000000000000000000000000000"
    return value
