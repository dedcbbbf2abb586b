"""JSON schemas of wire structs, described by what their docstrings say of each attribute."""

from __future__ import annotations

import functools
import inspect
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

REF: Final = "#/components/schemas/{name}"
_RAW: Final[dict[str, Any]] = {
    "program": str | dict[str, Any],
    "inputs": dict[str, float],
    "outputs": tuple[str, ...],
    "tags": tuple[str, ...],
    "counts": dict[str, int] | None,
    "probabilities": dict[str, float] | None,
    "memory": tuple[str, ...] | None,
    "samples": tuple[Any, ...] | None,
}
"""What is in the fields that wire structs leave raw."""

_ATTRIBUTE: Final = re.compile(r"^    (\w+): (.*(?:\n     .*)*)", re.MULTILINE)


class Schemas:
    """JSON schemas of structs, each named once."""

    def __init__(self, structs: Iterable[type[msgspec.Struct] | None]) -> None:
        unique = list(dict.fromkeys(each for each in structs if each is not None))
        found, self.components = msgspec.json.schema_components(
            [cooked(each) for each in unique], ref_template=REF
        )
        self._of = dict(zip(unique, found, strict=True))
        for schema in self.components.values():
            _describe(schema)
            _spell_patterns(schema)

    def content(self, of: type[msgspec.Struct] | None) -> dict[str, Any]:
        """Return what a body of this struct, or of none, is described by."""
        schema = self._of[of] if of is not None else {"type": "object"}
        return {"application/json": {"schema": schema}}


def told(docstring: str) -> tuple[str, dict[str, str]]:
    """Return what a docstring says of the whole, and of each attribute."""
    whole, _, rest = inspect.cleandoc(docstring).partition("Attributes:\n")
    attributes = {name: " ".join(text.split()) for name, text in _ATTRIBUTE.findall(rest)}
    return " ".join(whole.partition("\n\n")[0].split()), attributes


def _describe(schema: dict[str, Any]) -> None:
    schema["description"], attributes = told(schema.get("description", ""))
    for name, field in schema.get("properties", {}).items():
        if name in attributes:
            field["description"] = attributes[name]


def _spell_patterns(schema: Any) -> None:
    """Let patterns end with `$`, which says in JSON Schema what Python's capital Z says."""
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            schema["pattern"] = schema["pattern"].replace(r"\Z", "$")
        for each in schema.values():
            _spell_patterns(each)
    elif isinstance(schema, list | tuple):
        for each in schema:
            _spell_patterns(each)


@functools.cache
def cooked(struct: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """Return a struct with types in place of what it leaves raw."""
    fields: list[Any] = []
    is_raw = False
    for field in msgspec.structs.fields(struct):
        kind, default = field.type, field.default
        if kind in (msgspec.Raw, msgspec.Raw | None):
            is_raw, kind = True, _RAW[field.name]
            if isinstance(default, msgspec.Raw):
                default = msgspec.json.decode(default, type=kind)
        is_required = default is msgspec.NODEFAULT and field.default_factory is msgspec.NODEFAULT
        fields.append((field.name, kind) if is_required else (field.name, kind, default))
    if not is_raw:
        return struct
    forbids = struct.__struct_config__.forbid_unknown_fields
    cooked = msgspec.defstruct(struct.__name__, fields, kw_only=True, forbid_unknown_fields=forbids)
    cooked.__doc__ = struct.__doc__
    return cooked
