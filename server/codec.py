"""JSON in and out, in one place.

msgspec reads (it validates against a type as it parses, and refuses `NaN`, lone surrogates and
duplicate types of field); ujson writes. Nothing else in the project names either for JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
import ujson

from server.errors import ApiError, invalid

T = TypeVar("T")

_PATH = re.compile(r" - at `(.+)`$")


def encode(value: Mapping[str, Any]) -> bytes:
    """One compact UTF-8 JSON object."""
    # `ensure_ascii`, `encode_html_chars`, `escape_forward_slashes`: to read them by name takes half as long as the rest.
    return ujson.dumps(value, False, False, False).encode()


class Decoder:
    """Reads bytes into `type`, or raises `invalid_message` with a sentence that names the field."""

    def __init__(self, type: Any) -> None:
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(type)

    def decode(self, data: bytes | bytearray | str) -> Any:
        try:
            return self._decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise bad_input(error) from None
        except RecursionError:
            raise invalid("JSON is nested too deeply") from None


def plain(value: Any) -> Any:
    """A struct as the dictionary that it was read from, for `encode`."""
    return msgspec.to_builtins(value)


def convert(values: Mapping[str, str], type: type[T]) -> T:
    """Query parameters, all of them strings, as a struct."""
    try:
        read = msgspec.convert(values, type, strict=False)
    except msgspec.ValidationError as error:
        raise bad_input(error) from None
    for name in values:
        # msgspec takes the word `null` for a parameter that is absent.
        if getattr(read, name) is None:
            raise invalid(f"expected a value, got null (field `{name}`)")
    return read


def bad_input(error: Exception) -> ApiError:
    """msgspec's sentence, its path turned into words: `$.x` is the field `x`."""
    text = str(error)
    if found := _PATH.search(text):
        where = found.group(1).removeprefix("$.")
        text = text[: found.start()] + ("" if where == "$" else f" (field `{where}`)")
    return invalid(text.replace("Object ", "object ").replace("Expected ", "expected ") or "malformed JSON")
