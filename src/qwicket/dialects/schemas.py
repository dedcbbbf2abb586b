"""JSON schemas of the structs of requests and responses, as OpenAPI has them."""

from __future__ import annotations

import functools
import inspect
import operator
import re
import types
import typing
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union

import msgspec

from qwicket.schema.base import ResponseBody, ResponsePart

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

REF: Final = "#/components/schemas/{name}"
_NO_REPLACEMENTS: Final[Mapping[Any, Any]] = types.MappingProxyType({})
_ATTRIBUTE: Final = re.compile(r"^    (\w+): (.*(?:\n     .*)*)", re.MULTILINE)


class Schemas:
    """JSON schemas of structs, each named once.

    Args:
        structs: Structs to describe.
        replaced: Types to show in place of others, by type or by STRUCT.FIELD.

    Attributes:
        components: Schemas of the structs, and of the structs in their fields, by name.
    """

    def __init__(
        self,
        structs: Iterable[type[msgspec.Struct]],
        replaced: Mapping[Any, Any] = _NO_REPLACEMENTS,
    ) -> None:
        self._described: dict[Any, Any] = {msgspec.Raw: Any, **replaced}
        unique = list(dict.fromkeys(structs))
        found, self.components = msgspec.json.schema_components(
            [self.described(each) for each in unique], ref_template=REF
        )
        self._of = dict(zip(unique, found, strict=True))
        for each in self.components.values():
            _describe(each)
            _spell_patterns(each)

    def __getitem__(self, struct: type[msgspec.Struct]) -> dict[str, Any]:
        return self._of[struct]

    def described(self, kind: Any) -> Any:
        """Return the type that the schemas show in place of `kind`, which may be `kind`."""
        if kind not in self._described:
            is_struct = isinstance(kind, type) and issubclass(kind, msgspec.Struct)
            self._described[kind] = self._struct(kind) if is_struct else self._compound(kind)
        return self._described[kind]

    def _compound(self, kind: Any) -> Any:
        origin, args = typing.get_origin(kind), typing.get_args(kind)
        if origin is Annotated:
            return Annotated[self.described(args[0]), *args[1:]]
        if origin in (None, Literal) or not args:
            return kind
        described = [each if each is ... else self.described(each) for each in args]
        if origin in (Union, types.UnionType):
            return Any if Any in described else functools.reduce(operator.or_, described)
        return origin[tuple(described)]

    def _struct(self, struct: type[msgspec.Struct]) -> type[msgspec.Struct]:
        """Return a struct whose fields are required where a response always has them."""
        found = msgspec.structs.fields(struct)
        fields: list[Any] = []
        for field in found:
            name, default = f"{struct.__name__}.{field.name}", field.default
            kind = self._described.get(name) or self.described(field.type)
            if field.required or _is_always_sent(struct, field):
                fields.append((field.name, kind))
                continue
            if isinstance(default, msgspec.Raw):
                default = None if kind is Any else msgspec.json.decode(default, type=kind)
            if default is msgspec.NODEFAULT:
                default = msgspec.field(default_factory=field.default_factory)
            fields.append((field.name, kind, default))
        forbids = struct.__struct_config__.forbid_unknown_fields or issubclass(struct, ResponseBody)
        made = msgspec.defstruct(
            struct.__name__.removeprefix("_"),
            fields,
            kw_only=True,
            rename={each.name: each.encode_name for each in found},
            forbid_unknown_fields=forbids,
        )
        made.__doc__ = _documented(struct)
        return made


def parse_docstring(docstring: str) -> tuple[str, dict[str, str]]:
    """Return a docstring's first paragraph, and the text of each attribute."""
    whole, _, rest = inspect.cleandoc(docstring).partition("Attributes:\n")
    attributes = {name: " ".join(text.split()) for name, text in _ATTRIBUTE.findall(rest)}
    return " ".join(whole.partition("\n\n")[0].split()), attributes


def _describe(schema: dict[str, Any]) -> None:
    schema["description"], attributes = parse_docstring(schema.get("description", ""))
    for name, field in schema.get("properties", {}).items():
        if name in attributes:
            field["description"] = attributes[name]


def _spell_patterns(value: Any) -> None:
    r"""Write the end of a text in patterns as `$`: JSON Schema does not have Python's `\Z`."""
    if isinstance(value, dict):
        if isinstance(value.get("pattern"), str):
            value["pattern"] = value["pattern"].replace(r"\Z", "$")
        for each in value.values():
            _spell_patterns(each)
    elif isinstance(value, list | tuple):
        for each in value:
            _spell_patterns(each)


def _is_always_sent(struct: type[msgspec.Struct], field: msgspec.structs.FieldInfo) -> bool:
    if not issubclass(struct, ResponsePart) or field.default is msgspec.UNSET:
        return False
    return not struct.__struct_config__.omit_defaults or field.name in struct.always


def _documented(struct: type[msgspec.Struct]) -> str:
    """Return a struct's docstring, with the descriptions of fields from its bases."""
    texts: dict[str, str] = {}
    for base in reversed(struct.__mro__):
        whole, attributes = parse_docstring(base.__doc__ or "")
        texts |= attributes
    lines = "".join(f"    {name}: {text}\n" for name, text in texts.items())
    return f"{whole}\n\nAttributes:\n{lines}" if lines else whole
