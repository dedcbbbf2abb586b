"""Find query parameters and fields of bodies that the route of a request does not declare.

Vendors ignore most of them, and so do the dialects. The test bed reports them, because they are
often mistyped.
"""

from __future__ import annotations

import types
import typing
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Union
from urllib.parse import parse_qsl

import msgspec

from qwicket.dialects.registrations import offered
from qwicket.model.errors import InvalidRequest
from qwicket.model.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from qwicket.dialects.routing import Route

_SIGN_IN: Final = frozenset({"access_token", "apitoken", "token"})
"""Parameters with credentials, which routes do not declare."""
_AWS_PREFIXES: Final = ("x-amz-", "x-id")
"""Prefixes of parameters that AWS's clients add to any request."""


@cache
def _ignored(dialect: str) -> Collection[str]:
    """Return what unmodified clients of a dialect send although its routes do not declare it."""
    return next((each.ignores for each in offered() if each.name == dialect), ())


def unknown_names(dialect: str, route: Route, query: str, body: bytes) -> list[str]:
    """Return a sentence on each parameter and field that a route does not declare.

    Args:
        dialect: Name of the dialect.
        route: The route of the request.
        query: Query without its `?`.
        body: Body of the request; one that is not JSON has no fields.
    """
    found = [*_of_query(dialect, route, query)]
    struct = route.body.struct if route.body is not None else None
    if struct is not None and body:
        try:
            value = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return found
        for pointer, known in _unknown(struct, value, ""):
            if pointer not in _ignored(dialect):
                hint = did_you_mean(pointer.rpartition("/")[2], known)
                found.append(f"body{pointer}: there is no such field.{hint}")
    return found


def refusal(problems: list[str]) -> InvalidRequest:
    """Return the error with which a strict test bed refuses a request, for sentences about it."""
    field = problems[0].partition(":")[0].rpartition("/")[2]
    return InvalidRequest(" ".join(problems)[:1000], field=field)


def _of_query(dialect: str, route: Route, query: str) -> Iterator[str]:
    known = [each.strip("!") for each in route.parameters]  # `!` marks a required one
    for name in dict.fromkeys(name for name, _ in parse_qsl(query, keep_blank_values=True)):
        lower = name.lower()
        is_known = name in known or lower in _SIGN_IN or lower.startswith(_AWS_PREFIXES)
        is_known = is_known or name in _ignored(dialect)
        if not is_known and not _is_family(name, known):
            yield f"query/{name[:100]}: there is no such parameter.{did_you_mean(name, known)}"


def _is_family(name: str, known: list[str]) -> bool:
    """Return whether a declared name stands for a family, as `tags.<name>` and `filter[…]` do."""
    return any(name.startswith((f"{each}.", f"{each}[")) for each in known)


def _unknown(kind: Any, value: Any, at: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each field that a type does not have, as a JSON pointer, and the names that it has."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        yield from _unknown(args[0], value, at)
    elif origin in (Union, types.UnionType):
        structs = [each for each in args if _holds_structs(each)]
        if len(structs) == 1:  # with several it is unknown which one is meant
            yield from _unknown(structs[0], value, at)
    elif isinstance(value, list) and args and origin in (list, tuple):
        for number, each in enumerate(value):
            yield from _unknown(args[0], each, f"{at}/{number}")
    elif isinstance(value, dict) and origin is dict:
        for name, each in value.items():
            yield from _unknown(args[1], each, f"{at}/{name}")
    elif isinstance(value, dict) and _is_struct(kind):
        fields = {each.encode_name: each.type for each in msgspec.structs.fields(kind)}
        for name, each in value.items():
            if name in fields:
                yield from _unknown(fields[name], each, f"{at}/{name}")
            else:
                yield f"{at}/{name}", [*fields]


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _holds_structs(kind: Any) -> bool:
    return _is_struct(kind) or any(map(_holds_structs, typing.get_args(kind)))
