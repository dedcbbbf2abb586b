"""JSON schemas of the native API's structs, described by their docstrings."""

from __future__ import annotations

import functools
import inspect
import operator
import re
import types
import typing
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union

import msgspec

from qwicket import schema
from qwicket.model.accounts import Role, Scope
from qwicket.model.devices import Family
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from collections.abc import Iterable

REF: Final = "#/components/schemas/{name}"
_DESCRIBED_AS: Final[dict[Any, Any]] = {
    schema.agents.Base64: str,
    schema.base.DeviceState: Literal["on", "away", "off"],
    schema.base.Directive: Literal["go on", "stop", "lost"],
    schema.base.Family: Family,
    schema.base.Id: str,
    schema.jobs.RawInputs: dict[str, float],
    schema.jobs.RawProgram: str | dict[str, Any],
    schema.jobs.RawTexts: tuple[str, ...],
    schema.base.Role: Role,
    schema.results.Samples: list[Any],
    schema.base.Scope: Scope,
    schema.base.State: JobState,
}
"""What the server knows of a field's values beyond what its clients rely on."""
_ATTRIBUTE: Final = re.compile(r"^    (\w+): (.*(?:\n     .*)*)", re.MULTILINE)


class Schemas:
    """JSON schemas of structs, each named once."""

    def __init__(self, structs: Iterable[type[msgspec.Struct] | None]) -> None:
        unique = list(dict.fromkeys(each for each in structs if each is not None))
        found, self.components = msgspec.json.schema_components(
            [_described(each) for each in unique], ref_template=REF
        )
        self._of = dict(zip(unique, found, strict=True))
        for each in self.components.values():
            _describe(each)
            _spell_patterns(each)

    def content(self, of: type[msgspec.Struct] | None) -> dict[str, Any]:
        """Return what a body of this struct, or of none, is described by."""
        found = self._of[of] if of is not None else {"type": "object"}
        return {"application/json": {"schema": found}}


def told(docstring: str) -> tuple[str, dict[str, str]]:
    """Return what a docstring says of the whole, and of each attribute."""
    whole, _, rest = inspect.cleandoc(docstring).partition("Attributes:\n")
    attributes = {name: " ".join(text.split()) for name, text in _ATTRIBUTE.findall(rest)}
    return " ".join(whole.partition("\n\n")[0].split()), attributes


def _describe(of: dict[str, Any]) -> None:
    of["description"], attributes = told(of.get("description", ""))
    for name, field in of.get("properties", {}).items():
        if name in attributes:
            field["description"] = attributes[name]


def _spell_patterns(of: Any) -> None:
    """Let patterns end with `$`, which says in JSON Schema what Python's capital Z says."""
    if isinstance(of, dict):
        if isinstance(of.get("pattern"), str):
            of["pattern"] = of["pattern"].replace(r"\Z", "$")
        for each in of.values():
            _spell_patterns(each)
    elif isinstance(of, list | tuple):
        for each in of:
            _spell_patterns(each)


@functools.cache
def _described(kind: Any) -> Any:
    """Return a type with the server's values in place of what its structs leave open."""
    if kind in _DESCRIBED_AS:
        return _DESCRIBED_AS[kind]
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _described_struct(kind)
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return Annotated[_described(args[0]), *args[1:]]
    if origin in (Union, types.UnionType):
        return functools.reduce(operator.or_, map(_described, args))
    if origin in (None, Literal) or not args:
        return kind
    return origin[tuple([each if each is ... else _described(each) for each in args])]


def _described_struct(struct: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """Return a struct whose fields are required where a response has them always."""
    config = struct.__struct_config__
    fields: list[Any] = []
    for field in msgspec.structs.fields(struct):
        kind, default = _described(field.type), field.default
        if field.required or _is_always_sent(struct, field):
            fields.append((field.name, kind))
        elif default is msgspec.NODEFAULT:
            made = msgspec.field(default_factory=field.default_factory)
            fields.append((field.name, kind, made))
        else:
            if isinstance(default, msgspec.Raw):
                default = msgspec.json.decode(default, type=kind)
            fields.append((field.name, kind, default))
    made = msgspec.defstruct(
        struct.__name__,
        fields,
        kw_only=True,
        rename={each.name: each.encode_name for each in msgspec.structs.fields(struct)},
        forbid_unknown_fields=config.forbid_unknown_fields
        or issubclass(struct, schema.base.Answer),
    )
    made.__doc__ = _documented(struct)
    return made


def _is_always_sent(struct: type[msgspec.Struct], field: msgspec.structs.FieldInfo) -> bool:
    if not issubclass(struct, schema.base.Record) or field.default is msgspec.UNSET:
        return False
    return not struct.__struct_config__.omit_defaults or field.name in struct.always


def _documented(struct: type[msgspec.Struct]) -> str:
    """Return a struct's docstring with what its bases say of their fields."""
    said: dict[str, str] = {}
    for base in reversed(struct.__mro__):
        whole, attributes = told(base.__doc__ or "")
        said |= attributes
    lines = "".join(f"    {name}: {text}\n" for name, text in said.items())
    return f"{whole}\n\nAttributes:\n{lines}"
