"""Filters of lists: JSON with conditions on fields, in LoopBack's syntax.

A filter never becomes SQL text. Conditions that the database can look up become part of a query,
and the whole filter is then checked on each job that the query returns. Patterns are matched in
linear time (docs/decisions/0017).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import re2

from qwicket.dialects.times import parse_time
from qwicket.dialects.validation import quoted
from qwicket.model.errors import InvalidRequest, LimitExceeded
from qwicket.model.limits import INT64_MAX
from qwicket.model.states import JobState
from qwicket.vendors.ibm.dialect import statuses
from qwicket.vendors.ibm.dialect.jobs import JobRow
from qwicket.vendors.ibm.dialect.names import GROUP, HUB
from qwicket.vendors.ibm.limits import IBMLimits

if TYPE_CHECKING:
    from qwicket.model.jobs import JobQuery
    from qwicket.model.limits import Limits

_MAX_DEPTH: Final = 16
_PATTERN_BYTES: Final = 1 << 20
"""Memory of a compiled pattern; the library rejects larger ones."""
_MAX_CHARS: Final = 16 << 10
_RANGES: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_LISTS: Final = ("inq", "nin")
_OPERATORS: Final = frozenset({*_RANGES, *_LISTS, "neq", "between", "regexp"})
_KEYS: Final = frozenset({"where", "order", "limit", "skip", "fields"})
_CREATED: Final = "creationDate"


class Field(NamedTuple):
    """A field that a filter may name.

    Attributes:
        kind: Kind of its values: `_TEXT`, `_TEXTS`, `_DATE`, `_NUMBER` or `_TRUTH`.
        get: Returns a job's value; None if the job has none.
        is_vendor_field: Whether the value is in the vendor fields, not in the job's row.
    """

    kind: str
    get: Callable[[JobRow], Any]
    is_vendor_field: bool = False


_TEXT: Final = "text"
_TEXTS: Final = "texts"
_DATE: Final = "a date"
_NUMBER: Final = "a number"
_TRUTH: Final = "true or false"

FIELDS: Final[Mapping[str, Field]] = {
    "id": Field(_TEXT, lambda it: it.job.id),
    "userId": Field(_TEXT, lambda it: it.job.account),
    "kind": Field(_TEXT, lambda it: it.vendor_fields.kind, is_vendor_field=True),
    "status": Field(_TEXT, lambda it: statuses.status(it.job)),
    _CREATED: Field(_DATE, lambda it: it.job.created_at),
    "endDate": Field(_DATE, lambda it: it.job.ended_at),
    "backend.id": Field(_TEXT, lambda it: it.job.device),
    "backend.name": Field(_TEXT, lambda it: it.job.device),
    "name": Field(_TEXT, lambda it: it.job.name),
    "tags": Field(_TEXTS, lambda it: it.job.tags),
    "shots": Field(_NUMBER, lambda it: it.job.shots),
    "cost": Field(_NUMBER, lambda _: 0.0),
    "runMode": Field(_TEXT, lambda _: "fairshare"),
    "hubInfo.hub.name": Field(_TEXT, lambda _: HUB),
    "hubInfo.group.name": Field(_TEXT, lambda _: GROUP),
    "hubInfo.project.name": Field(_TEXT, lambda it: it.project),
    "clientInfo.name": Field(
        _TEXT,
        lambda it: it.vendor_fields.client_info()["name"] if it.vendor_fields.client else None,
        is_vendor_field=True,
    ),
    "clientInfo.version": Field(
        _TEXT,
        lambda it: it.vendor_fields.client_info()["version"] if it.vendor_fields.client else None,
        is_vendor_field=True,
    ),
    "experimentTag": Field(
        _TEXT, lambda it: it.vendor_fields.experiment or None, is_vendor_field=True
    ),
    "shareLevel": Field(_TEXT, lambda it: it.vendor_fields.share or None, is_vendor_field=True),
    "liveDataEnabled": Field(_TRUTH, lambda it: it.vendor_fields.is_live, is_vendor_field=True),
}
"""Every field that a filter may name, by its path in a job's body."""


class Comparison(NamedTuple):
    """Comparison of a field with an operand."""

    field: str
    operator: str
    operand: Any

    def holds(self, row: JobRow) -> bool:
        value = FIELDS[self.field].get(row)
        if FIELDS[self.field].kind is _TEXTS:
            return self._holds_of_some(value)
        return self.holds_of(value)

    def holds_of(self, value: Any) -> bool:
        """Return whether the comparison holds for a value; None stands for a missing one."""
        match self.operator:
            case "eq":
                return bool(value == self.operand)
            case "neq":
                return bool(value != self.operand)
            case "inq":
                return value in self.operand
            case "nin":
                return value not in self.operand
            case "regexp":
                return value is not None and self.operand.search(value) is not None
            case "between":
                return value is not None and bool(self.operand[0] <= value <= self.operand[1])
            case _:
                return value is not None and _RANGES[self.operator](value, self.operand)

    def _holds_of_some(self, values: tuple[str, ...]) -> bool:
        """Return whether the comparison holds for one of several values; a negation, for all.

        None in the operand stands for a job without values.
        """
        if self.operator in ("neq", "nin"):
            return all(map(self.holds_of, values))
        if self.operand is None or (self.operator == "inq" and not values):
            return not values and (self.operand is None or None in self.operand)
        return any(map(self.holds_of, values))


class All(NamedTuple):
    """Condition that holds when all of its clauses hold."""

    clauses: tuple[Clause, ...]

    def holds(self, row: JobRow) -> bool:
        return all(clause.holds(row) for clause in self.clauses)

    def certain(self) -> Iterator[Comparison]:
        """Yield the comparisons that hold for every job that this condition holds for."""
        for clause in self.clauses:
            if isinstance(clause, Comparison):
                yield clause
            elif isinstance(clause, All):
                yield from clause.certain()


class Some(NamedTuple):
    """Condition that holds when one of its clauses holds."""

    clauses: tuple[Clause, ...]

    def holds(self, row: JobRow) -> bool:
        return any(clause.holds(row) for clause in self.clauses)


Clause = Comparison | All | Some


class Filter(NamedTuple):
    """Parsed filter of a list.

    Attributes:
        where: Conditions on jobs.
        oldest_first: Order of the list.
        limit: Greatest number of jobs; None for the limit of lists.
        skip: Number of jobs to leave out at the beginning.
        shown: Fields to include (true) or leave out (false); empty for all.
        needs_vendor_fields: Whether the vendor fields must be read.
    """

    where: All = All(())
    oldest_first: bool = False
    limit: int | None = None
    skip: int = 0
    shown: Mapping[str, bool] = MappingProxyType({})
    needs_vendor_fields: bool = False

    def narrow(self, query: JobQuery) -> JobQuery:
        """Return a query for all jobs that match the filter; it may find others as well."""
        changes: dict[str, Any] = {"oldest_first": self.oldest_first}
        since, until = query.created_from, query.created_to
        states = frozenset(query.states or JobState)
        for comparison in self.where.certain():
            if comparison.field == _CREATED:
                low, high = _span(comparison)
                since, until = max(since, low), min(until, high)
            elif comparison.field == "status":
                states &= _states(comparison)
            elif comparison.operator == "eq":
                _narrow(changes, comparison.field, comparison.operand)
        if not states:
            until = -1  # no job matches, because no job is older than 1970
        elif len(states) < len(JobState):
            changes["states"] = tuple(sorted(states))
        changes |= {"created_from": since, "created_to": until}
        return msgspec.structs.replace(query, **changes)

    def select(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of a body that are asked for."""
        if not self.shown:
            return body
        if any(self.shown.values()):
            return {name: value for name, value in body.items() if self.shown.get(name)}
        return {name: value for name, value in body.items() if name not in self.shown}


def _narrow(changes: dict[str, Any], field: str, operand: Any) -> None:
    """Add a condition that the database can look up."""
    if field in ("backend.name", "backend.id"):
        # No device has an empty name, so the query then finds nothing.
        changes["device"] = "" if operand is None or "\0" in operand else operand
    elif field == "name" and operand and "\0" not in operand:
        changes["name"] = operand
    elif field == "tags" and operand and "\0" not in operand:
        changes["tags"] = (*changes.get("tags", ()), operand)


def parse(text: str | None, limits: Limits) -> Filter:
    """Parse the filter of a list.

    Args:
        text: JSON; if it is None or empty, all jobs match.
        limits: Limits on its size.

    Raises:
        InvalidRequest: The filter is malformed, or names an unknown field.
        LimitExceeded: The filter is too large.
    """
    if not text:
        return Filter()
    if len(text) > _MAX_CHARS:
        raise LimitExceeded(f"filter: is over {_MAX_CHARS} characters.", field="filter")
    try:
        document = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise _wrong(f"filter: is not JSON: {quoted(text)}.") from None
    if not isinstance(document, dict) or not document.keys() <= _KEYS:
        raise _wrong(
            f"filter: must be an object with {', '.join(sorted(_KEYS))}, not {quoted(document)}."
        )
    reader = _Reader(limits)
    where = reader.where(_or(document.get("where"), {}), 0)
    limit = _count(document, "limit")
    return Filter(
        where=where,
        oldest_first=_is_rising(_or(document.get("order"), f"{_CREATED} DESC")),
        limit=limit or None,
        skip=_count(document, "skip"),
        shown=_fields(_or(document.get("fields"), {})),
        needs_vendor_fields=reader.needs_vendor_fields,
    )


def parse_before(text: str | None) -> int | None:
    """Return the time in Unix milliseconds up to which properties are wanted.

    None means now: there is no filter.

    Raises:
        InvalidRequest: The filter is not `where.last_update_date.lt` with a date.
    """
    if not text:
        return None
    try:
        document = _properties_decoder.decode(text[:_MAX_CHARS])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise _wrong("filter: must name where.last_update_date.lt.") from None
    at = parse_time(document.where.last_update_date.lt)
    if at is None:
        raise _wrong("filter: where.last_update_date.lt must be a date.")
    return at - 1  # `lt` leaves out the time itself


class _Before(msgspec.Struct):
    lt: str


class _Updated(msgspec.Struct):
    last_update_date: _Before


class _PropertiesFilter(msgspec.Struct):
    where: _Updated


_properties_decoder: Final = msgspec.json.Decoder(_PropertiesFilter)


class _Reader:
    """Parses the conditions of a filter, and counts them."""

    def __init__(self, limits: Limits) -> None:
        self._limits, self._max_clauses = limits, limits.of(IBMLimits).filter_clauses
        self._count = 0
        self.needs_vendor_fields = False

    def where(self, conditions: Any, depth: int) -> All:
        if not isinstance(conditions, dict):
            raise _wrong("filter: where must be an object.")
        if depth > _MAX_DEPTH:
            raise _wrong(f"filter: is nested deeper than {_MAX_DEPTH}.")
        clauses: list[Clause] = []
        for key, value in conditions.items():
            if key in ("and", "or"):
                clauses.append(self._several(key, value, depth))
            elif key in _OPERATORS:
                continue
            else:
                clauses += self._comparisons(key, value)
        if bare := {key: conditions[key] for key in conditions if key in _OPERATORS}:
            # A client that requests the next page omits the name `creationDate`.
            clauses += self._comparisons(_CREATED, bare)
        return All(tuple(clauses))

    def _several(self, key: str, value: Any, depth: int) -> All | Some:
        if not isinstance(value, list):
            raise _wrong(f"filter: {key} must be a list.")
        clauses = []
        for each in value:
            self._add(1)
            clauses.append(self.where(each, depth + 1))
        return All(tuple(clauses)) if key == "and" else Some(tuple(clauses))

    def _comparisons(self, name: str, value: Any) -> Iterable[Comparison]:
        field = FIELDS.get(name)
        if field is None:
            raise _wrong(
                f"filter: there is no field {quoted(name)}. The fields are {', '.join(FIELDS)}."
            )
        self.needs_vendor_fields |= field.is_vendor_field
        operands = value if isinstance(value, dict) else {"eq": value}
        if not operands or not operands.keys() <= {"eq", *_OPERATORS}:
            raise _wrong(f"filter: {name} takes {', '.join(sorted(_OPERATORS))}.")
        return [self._comparison(name, field, key, operand) for key, operand in operands.items()]

    def _comparison(self, name: str, field: Field, key: str, operand: Any) -> Comparison:
        self._add(1)
        if key == "regexp":
            if field.kind not in (_TEXT, _TEXTS):
                raise _wrong(f"filter: {name} is not text, so it takes no regexp.")
            return Comparison(name, key, self._pattern(name, operand))
        if key in (*_LISTS, "between"):
            if not isinstance(operand, list) or (key == "between" and len(operand) != 2):
                raise _wrong(f"filter: {name}: {key} takes a list.")
            self._add(len(operand))
            can_be_null = key != "between"
            values = [_value(name, field, each, can_be_null=can_be_null) for each in operand]
            return Comparison(name, key, tuple(values))
        return Comparison(name, key, _value(name, field, operand, can_be_null=key not in _RANGES))

    def _pattern(self, name: str, text: Any) -> Any:
        if not isinstance(text, str) or len(text) > self._limits.requests.name_chars:
            raise _wrong(
                f"filter: {name}: regexp must be text of at most {self._limits.requests.name_chars}"
                " characters (limit name_chars)."
            )
        options = re2.Options()
        options.max_mem = _PATTERN_BYTES
        options.log_errors = False
        try:
            return re2.compile(text, options)
        except re2.error as error:
            reason = error.args[0].decode("utf-8", "replace")[:200]
            raise _wrong(f"filter: {name}: this regexp is not supported: {reason}.") from None

    def _add(self, number: int) -> None:
        self._count += number
        if self._count > self._max_clauses:
            raise LimitExceeded(
                f"filter: has more than {self._max_clauses} comparisons and values"
                " (limit filter_clauses).",
                field="filter",
            )


def _value(name: str, field: Field, value: Any, *, can_be_null: bool) -> Any:
    """Return the value to compare a field with; dates become Unix milliseconds."""
    if value is None and can_be_null:
        return None
    if field.kind is _DATE and isinstance(value, str):
        at = parse_time(value)
        if at is not None:
            return at
    elif _fits(field.kind, value):
        return value
    kind = _TEXT if field.kind is _TEXTS else field.kind
    raise _wrong(f"filter: {name} must be compared with {kind}.")


def _fits(kind: str, value: Any) -> bool:
    is_truth = isinstance(value, bool)
    return {
        _TEXT: isinstance(value, str),
        _TEXTS: isinstance(value, str),
        _NUMBER: isinstance(value, int | float) and not is_truth,
        _TRUTH: is_truth,
    }.get(kind, False)


def _span(comparison: Comparison) -> tuple[int, int]:
    """Return the first and last time of creation that a comparison allows, in Unix milliseconds.

    Both are included even for `gt` and `lt`: the query may find other jobs too.
    """
    at = comparison.operand
    if at is None:
        return 0, INT64_MAX
    match comparison.operator:
        case "eq":
            return at, at
        case "between":
            return at[0], at[1]
        case "gt" | "gte":
            return at, INT64_MAX
        case "lt" | "lte":
            return 0, at
        case _:
            return 0, INT64_MAX


def _states(comparison: Comparison) -> frozenset[JobState]:
    """Return the states of all jobs whose status a comparison allows."""
    allowed = [word for word in statuses.STATUSES if comparison.holds_of(word)]
    return frozenset(state for word in allowed for state in statuses.states(word))


def _count(document: Mapping[str, Any], name: str) -> int:
    value = _or(document.get(name), 0)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= INT64_MAX:
        raise _wrong(f"filter: {name} must be a number that is not below 0.")
    return value


def _is_rising(order: Any) -> bool:
    if isinstance(order, list) and len(order) == 1:
        order = order[0]
    field, _, way = order.partition(" ") if isinstance(order, str) else ("", "", "")
    if field != _CREATED or way.upper() not in ("", "ASC", "DESC"):
        raise _wrong(f"filter: order must be {_CREATED} ASC or DESC.")
    return way.upper() != "DESC"


def _fields(fields: Any) -> dict[str, bool]:
    if isinstance(fields, list):
        fields = {name: True for name in fields if isinstance(name, str)}
    if not isinstance(fields, dict) or not all(isinstance(on, bool) for on in fields.values()):
        raise _wrong("filter: fields must be an object of true and false.")
    return fields


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _wrong(detail: str) -> InvalidRequest:
    return InvalidRequest(detail, field="filter")
