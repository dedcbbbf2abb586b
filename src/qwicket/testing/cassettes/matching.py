"""Compare a request with a recorded one."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import msgspec

from qwicket.testing.cassettes.scrubbing import ANY_MARK, Scrubber

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qwicket.testing.cassettes.tape import Body, RecordedRequest

_MARKS: Final = re.compile(rf"{ANY_MARK.pattern}|person-\d+@example\.invalid")
"""Texts that stand for removed ones."""
_SHOWN: Final = 200
"""Characters of a value in the text of a difference."""


class Difference(msgspec.Struct, frozen=True):
    """One place where a request differs from the recorded one.

    Attributes:
        where: `method`, `path`, `query/NAME`, or `body` with a JSON pointer or a field of a form.
        recorded: The cassette's value as JSON; "" without a value.
        sent: The client's value as JSON without secrets; "" without a value.
    """

    where: str
    recorded: str
    sent: str

    def __str__(self) -> str:
        recorded, sent = self.recorded or "nothing", self.sent or "nothing"
        return f"{self.where}: recorded {recorded}, sent {sent}"


def differences(recorded: RecordedRequest, sent: RecordedRequest) -> list[Difference]:
    """Return how a request differs from a recorded one; a removed secret matches any text."""
    found = [
        *_compare("method", recorded.method, sent.method),
        *_compare("path", recorded.path, sent.path),
        *_queries("query", recorded.query, sent.query),
    ]
    found += _bodies(recorded, sent)
    return found


def _bodies(recorded: RecordedRequest, sent: RecordedRequest) -> Iterator[Difference]:
    there, here = recorded.body, sent.body
    if _is_form(recorded) and there.text is not None and here.text is not None:
        yield from _queries("body", there.text, here.text)
        return
    for each in _compare("body", _value(there), _value(here)):
        pointer = each.where.removeprefix("body")
        if not any(fnmatchcase(pointer, pattern) for pattern in recorded.ignore):
            yield each


def _is_form(sent: RecordedRequest) -> bool:
    return "form-urlencoded" in sent.headers.get("content-type", "")


def _value(body: Body) -> Any:
    if body.json is not msgspec.UNSET:
        return body.json
    return body.text if body.base64 is None else body.base64


def _queries(where: str, recorded: str, sent: str) -> Iterator[Difference]:
    there, here = _by_name(recorded), _by_name(sent)
    for name in [*there, *(name for name in here if name not in there)]:
        yield from _compare(f"{where}/{name}", there.get(name), here.get(name))


def _by_name(query: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        found.setdefault(name, []).append(value)
    return found


def _compare(where: str, recorded: Any, sent: Any) -> Iterator[Difference]:
    """Yield differences of decoded JSON, each at its place."""
    if isinstance(recorded, dict) and isinstance(sent, dict):
        for name in [*recorded, *(name for name in sent if name not in recorded)]:
            below = f"{where}/{name}"
            if name not in sent:
                yield Difference(below, _shown(below, recorded[name]), "")
            elif name not in recorded:
                yield Difference(below, "", _shown(below, sent[name]))
            else:
                yield from _compare(below, recorded[name], sent[name])
    elif isinstance(recorded, list) and isinstance(sent, list) and len(recorded) == len(sent):
        for number, (there, here) in enumerate(zip(recorded, sent, strict=True)):
            yield from _compare(f"{where}/{number}", there, here)
    elif not _is_same(recorded, sent):
        yield Difference(where, _shown(where, recorded), _shown(where, sent))


def _is_same(recorded: Any, sent: Any) -> bool:
    if isinstance(recorded, str) and isinstance(sent, str) and _MARKS.search(recorded):
        parts = map(re.escape, _MARKS.split(recorded))
        return re.fullmatch(".+".join(parts), sent, re.DOTALL) is not None
    if isinstance(recorded, bool) or isinstance(sent, bool):
        return recorded is sent
    return bool(recorded == sent)


def _shown(where: str, value: Any) -> str:
    """Return a value as JSON without secrets; the name of its field may reveal that it is one."""
    if value is None:
        return ""
    name = where.rpartition("/")[2]
    scrubber = Scrubber()
    scrubber.collect_json({name: value})
    text = msgspec.json.encode(scrubber.scrub_json({name: value})[name]).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"
