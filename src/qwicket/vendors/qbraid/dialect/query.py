"""The Mongo-like queries of the registry generation, for a user's own documents and for devices.

A query is a JSON object whose conditions must all hold: a value means equality, an object whose
keys begin with `$` contains operators, and dots in names reach into objects. `$regex` supports only
literal text, `^`, `$` and `.*`, so that no pattern takes long.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from qwicket.dialects.bodies import check_document, decode
from qwicket.model.errors import InvalidRequest, LimitExceeded

if TYPE_CHECKING:
    from qwicket.model.limits import Limits

MAX_PATTERN_CHARS: Final = 200
MAX_CONDITIONS: Final = 100
_ABSENT: Final = object()
_SPECIAL: Final = frozenset(r".^$*+?{}[]\|()")

Test = Callable[[Any], bool]
_decoder: Final = msgspec.json.Decoder(dict[str, Any])


class Condition(NamedTuple):
    """A condition on the value at a path."""

    path: tuple[str, ...]
    test: Test

    def holds(self, document: Mapping[str, Any]) -> bool:
        value: Any = document
        for name in self.path:
            value = value.get(name, _ABSENT) if isinstance(value, Mapping) else _ABSENT
            if value is _ABSENT:
                break
        return self.test(value)


class Query(NamedTuple):
    """Conditions of a query, all of which must hold."""

    conditions: tuple[Condition, ...]

    def matches(self, document: Mapping[str, Any]) -> bool:
        return all(condition.holds(document) for condition in self.conditions)


def fields(body: bytes, limits: Limits) -> dict[str, Any]:
    """Decode the body of a search.

    Raises:
        InvalidRequest: The body is not a JSON object.
        LimitExceeded: The body is too large, or nested too deeply.
    """
    check_document(body, "body", limits)
    return decode(body or b"{}", _decoder)


def parse(fields: Mapping[str, Any]) -> Query:
    """Parse the fields of a query.

    Raises:
        InvalidRequest: An operator, its operand or a pattern is not supported.
        LimitExceeded: There are too many conditions.
    """
    found: list[Condition] = []
    for name, value in fields.items():
        if name.startswith("$"):
            raise InvalidRequest(f"{name[:64]} is not supported in a query.", field=name)
        path = tuple(name.split("."))
        if isinstance(value, dict) and any(key.startswith("$") for key in value):
            found += [Condition(path, _test(name, key, operand)) for key, operand in value.items()]
        else:
            found.append(Condition(path, _equals(value)))
    if len(found) > MAX_CONDITIONS:
        detail = f"A query has at most {MAX_CONDITIONS} conditions, this one has {len(found)}."
        raise LimitExceeded(detail)
    return Query(tuple(found))


def _test(name: str, key: str, operand: Any) -> Test:
    if key in _ORDER:
        return _compares(_ORDER[key], operand)
    if key in ("$in", "$nin"):
        return _is_one_of(name, operand, is_in=key == "$in")
    if key == "$eq":
        return _equals(operand)
    if key == "$ne":
        equals = _equals(operand)
        return lambda value: not equals(value)
    if key == "$exists":
        return lambda value: (value is not _ABSENT) is bool(operand)
    if key == "$regex":
        return _matches(name, operand)
    raise InvalidRequest(f"{name}: {key[:64]} is not supported in a query.", field=name)


_ORDER: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}


def _equals(operand: Any) -> Test:
    if operand is None:
        return lambda value: value is None or value is _ABSENT
    # In Python True == 1, but in JSON they differ.
    return lambda value: isinstance(value, bool) is isinstance(operand, bool) and value == operand


def _is_one_of(name: str, operand: Any, *, is_in: bool) -> Test:
    """Return the test of `$in` or `$nin`. It uses a set, because lists may be long."""
    if not isinstance(operand, list) or any(isinstance(each, list | dict) for each in operand):
        detail = f"{name}: $in and $nin take a list of texts, numbers, true and false."
        raise InvalidRequest(detail, field=name)
    known = {(isinstance(each, bool), each) for each in operand}

    def test(value: Any) -> bool:
        value = None if value is _ABSENT else value
        is_known = not isinstance(value, list | dict) and (isinstance(value, bool), value) in known
        return is_known is is_in

    return test


def _compares(compare: Callable[[Any, Any], bool], operand: Any) -> Test:
    """Return a test that compares numbers or texts; values of different types do not pass it."""
    kinds = (int, float) if isinstance(operand, int | float) else (str,)
    return lambda value: (
        isinstance(value, kinds) and isinstance(operand, kinds) and compare(value, operand)
    )


def _matches(name: str, pattern: Any) -> Test:
    if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN_CHARS:
        detail = f"{name}: $regex takes a text of at most {MAX_PATTERN_CHARS} characters."
        raise InvalidRequest(detail, field=name)
    begins, ends = pattern.startswith("^"), pattern.endswith("$")
    pieces = pattern.removeprefix("^").removesuffix("$").split(".*")
    if any(_SPECIAL & set(piece) for piece in pieces):
        detail = f"{name}: $regex supports only literal text, ^, $ and .*."
        raise InvalidRequest(detail, field=name)
    return lambda value: isinstance(value, str) and _fits(value, pieces, begins, ends)


def _fits(text: str, pieces: list[str], begins: bool, ends: bool) -> bool:
    """Return whether the pieces occur in this order; each is found as early as possible."""
    at = 0
    for number, piece in enumerate(pieces):
        if number == len(pieces) - 1 and ends:
            start = len(text) - len(piece)
            is_placed = start >= at and text.endswith(piece)
            return is_placed and not (number == 0 and begins and start != 0)
        if number == 0 and begins:
            found = 0 if text.startswith(piece) else -1
        else:
            found = text.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return True
