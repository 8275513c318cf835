"""Types of the wire as JSON Schema, in the part that OpenAPI 3.1 and AsyncAPI 3.0 share.

msgspec describes its structs and the annotated scalars; here are the TypedDicts, which it refuses
in unions. Answers stay open to new fields, as clients must be (contract §1); requests are closed.
"""

from __future__ import annotations

import inspect
import types
from typing import Any, Final, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

import msgspec

Schema = dict[str, Any]

REFERENCE: Final = "#/components/schemas/{name}"


class Schemas:
    """The schemas of one document; `named` becomes its `components/schemas`."""

    def __init__(self) -> None:
        self.named: dict[str, Schema] = {}

    def of(self, type_: Any) -> Schema:
        """The schema of a type; what has a name (a struct, a TypedDict) is kept and referred to."""
        if type_ is None or type_ is types.NoneType:
            return {"type": "null"}
        if is_typeddict(type_):
            return self._keep(type_.__name__.removesuffix("Shape"), self.whole(type_))
        origin, arguments = get_origin(type_), get_args(type_)
        if origin in (Union, types.UnionType):
            return self._union(arguments)
        if origin is list:
            return {"type": "array", "items": self.of(arguments[0])}
        return self._by_msgspec(type_)

    def whole(self, type_: Any) -> Schema:
        """The schema of a struct or a TypedDict itself, under no name."""
        if not is_typeddict(type_):
            return self._struct(type_)
        schema: Schema = {
            "title": type_.__name__.removesuffix("Shape").removesuffix("Event"),
            "type": "object",
        }
        if type_.__doc__:
            schema["description"] = inspect.cleandoc(type_.__doc__)
        properties: dict[str, Schema] = {}
        required: list[str] = []
        for field, hint in get_type_hints(type_, include_extras=True).items():
            if get_origin(hint) is NotRequired:
                hint = get_args(hint)[0]
            else:
                required.append(field)
            properties[field] = self.of(hint)
        # An event inherits the fields of its shape, which then come before its type.
        schema["properties"] = dict(sorted(properties.items(), key=lambda item: item[0] != "type"))
        schema["required"] = required
        return schema

    def _union(self, members: tuple[Any, ...]) -> Schema:
        literals = [
            value for member in members if get_origin(member) is Literal for value in get_args(member)
        ]
        choices = [self.of(member) for member in members if get_origin(member) is not Literal]
        if literals:
            choices.insert(0, {"enum": literals})
        return choices[0] if len(choices) == 1 else {"anyOf": choices}

    def _by_msgspec(self, type_: Any) -> Schema:
        if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
            return self._keep(type_.__name__, self._struct(type_))
        return tidied(msgspec.json.schema(type_))

    def _struct(self, struct: type[msgspec.Struct]) -> Schema:
        """A struct's own schema; those of the structs in it are kept."""
        _, components = msgspec.json.schema_components([struct], ref_template=REFERENCE)
        own = components.pop(struct.__name__)
        for name, schema in components.items():
            self._keep(name, tidied(schema))
        return tidied(own)

    def _keep(self, name: str, schema: Schema) -> Schema:
        """A reference. Two types of one name would overwrite each other, so they have to be alike."""
        assert self.named.setdefault(name, schema) == schema, f"two types are called {name}"
        return {"$ref": REFERENCE.format(name=name)}


def tidied(schema: Schema) -> Schema:
    """msgspec's schema as a reader would write it: one choice is a constant, and null is no default."""
    result = {key: _tidied_part(part) for key, part in schema.items()}
    if isinstance(result.get("enum"), list) and len(result["enum"]) == 1:
        result["const"] = result.pop("enum")[0]
    if result.get("default", ...) is None:
        del result["default"]
    return result


def _tidied_part(part: Any) -> Any:
    if isinstance(part, list):
        return [_tidied_part(item) for item in part]
    return tidied(part) if isinstance(part, dict) else part


def without_null(schema: Schema) -> Schema:
    """The schema of a value that is either given or left out, as in a query string."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) != 1:
        return schema
    return {**{key: value for key, value in schema.items() if key != "anyOf"}, **choices[0]}
