"""Drift: differences between a vendor's recorded responses and Qwicket's.

Single words, such as states, are compared by value, all other values by their kind. Later requests
have Qwicket's id in place of each id of the vendor.
"""

from __future__ import annotations

import http.client
import re
import time
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit
from uuid import uuid4

import msgspec

from qwicket.testing.cassettes.scrubbing import ANY_MARK
from qwicket.testing.cassettes.tape import ORIGIN, Body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from qwicket.testing.cassettes.aws import Credential
    from qwicket.testing.cassettes.tape import Cassette, RecordedRequest, RecordedResponse
    from qwicket.testing.values import AwsKeys

_POLL_S: Final = 0.1
_SETTLED_S: Final = 1.0
"""Seconds without a change after which responses of a job count as final."""
_TIMEOUT_S: Final = 60.0
_MIN_ID_CHARS: Final = 6
"""Shorter ids of the vendor are not replaced by Qwicket's, because they occur in many texts."""
_KINDS: Final = {
    "secret": re.compile(rf"{ANY_MARK.pattern}|eyJ[\w-]+\.[\w-]+\.[\w-]*|qw_[\w-]+"),
    "UUID": re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    "time": re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*|\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT"),
    "date": re.compile(r"\d{4}-\d\d-\d\d"),
    "address": re.compile(r"https?://\S*"),
    "e-mail address": re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+"),
    "digits": re.compile(r"-?\d+(?:\.\d+)?"),
    "id": re.compile(r"(?=\S*\d)[\w.:@/+=-]{8,}"),
    "word": re.compile(r"[A-Za-z][A-Za-z_-]*"),
}
"""Kinds of texts, of which the first that matches counts; any other text has the kind "text"."""
_ID_KINDS: Final = ("secret", "UUID", "digits", "id")
_DATA_KEY: Final = re.compile(r"\d+|0x[0-9a-fA-F]+|[01 ]+|(?=\S*\d)[\w-]{16,}")
"""Names in objects that are values rather than field names: outcomes, numbers of qubits, ids."""


class Drift(msgspec.Struct, frozen=True):
    """One field in which Qwicket's response differs from the vendor's.

    Attributes:
        number: Number of the request in the cassette, from 1.
        call: Method and path of the request, with `*` for ids.
        field: `status`, `header NAME`, or a JSON pointer into the body, with `*` for any element.
        vendor: The vendor's value: its kind, a quoted word, a status, a content type, or "nothing";
            of other headers only "given".
        qwicket: Qwicket's value, likewise.
    """

    number: int
    call: str
    field: str
    vendor: str
    qwicket: str

    def __str__(self) -> str:
        values = f"vendor {self.vendor}, Qwicket {self.qwicket}"
        return f"{self.number} {self.call}  {self.field}: {values}"


class Checker:
    """Sends a cassette's requests to a Qwicket server and compares the responses.

    Args:
        url: Address of the Qwicket server.
        token: Token for the server.
        aws: Key pair for requests that the recorded client signed.
        names: Qwicket's names, such as a device's, by the vendor's names in the cassette.
        ignore: Patterns of fields that are not compared, such as `/jobs/*/cost*`.
        settle_s: Seconds for which a GET is repeated until a job reaches the recorded state; fewer
            if the differences stay the same for a second.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        aws: AwsKeys | None = None,
        names: Mapping[str, str] | None = None,
        ignore: Sequence[str] = (),
        settle_s: float = 20.0,
    ) -> None:
        self._host = urlsplit(url).netloc
        self._url = url
        self._token = token
        self._aws = aws
        self._new_ids: dict[str, str] = {}
        self._ignore = tuple(ignore)
        self._settle_s = settle_s
        self._qwicket_texts: dict[str, str] = {**(names or {}), ORIGIN: url}

    def check(self, cassette: Cassette) -> list[Drift]:
        """Return the differences, without repetitions."""
        found: dict[tuple[str, str, str, str], Drift] = {}
        exchanges = cassette.exchanges
        following = [*(second.request for _, second in pairwise(exchanges)), None]
        for number, (each, after) in enumerate(zip(exchanges, following, strict=True), 1):
            sent = each.request
            if sent.method == "GET" and after is not None and _is_same_call(sent, after):
                continue  # of several polls only the last is compared: jobs take different times
            if each.response.status == 0 or each.response.is_cut:
                continue  # the connection broke there
            for drift in self._drifts(number, sent, each.response):
                key = drift.call, drift.field, drift.vendor, drift.qwicket
                found.setdefault(key, drift)
        return [*found.values()]

    def _drifts(self, number: int, sent: RecordedRequest, there: RecordedResponse) -> list[Drift]:
        """Send a request, and a GET again until its response settles; return the differences."""
        began = changed = time.monotonic()
        last: list[Drift] | None = None
        while True:
            here, document = self._send(sent)
            found = [*self._compared(number, sent, there, here, document)]
            now = time.monotonic()
            if found != last:
                last, changed = found, now
            may_settle = sent.method == "GET" and any(_may_settle(each) for each in found)
            is_over = now - changed >= _SETTLED_S or now - began >= self._settle_s
            if not may_settle or is_over:
                self._learn(there.body.json, document)
                return found
            time.sleep(_POLL_S)

    def _compared(
        self,
        number: int,
        sent: RecordedRequest,
        there: RecordedResponse,
        here: Response,
        document: Any,
    ) -> Iterator[Drift]:
        call = f"{sent.method} {_pattern(sent.path)}"
        for field, recorded, ours in self._fields(there, here, document):
            if not any(fnmatchcase(field, each) for each in self._ignore):
                yield Drift(number, call, field, recorded, ours)

    def _fields(
        self, there: RecordedResponse, here: Response, document: Any
    ) -> Iterator[tuple[str, str, str]]:
        if there.status != here.status:
            yield "status", str(there.status), str(here.status)
        for name in ("content-type", "location", "retry-after"):
            recorded, ours = _header(there.headers, name), _header(here.headers, name)
            if recorded != ours:
                yield f"header {name}", recorded, ours
        if there.body.json is not msgspec.UNSET:
            yield from _compare("", there.body.json, document)
        elif (document is not msgspec.UNSET) and there.body.content:
            yield "", "no JSON", "JSON"

    def _send(self, sent: RecordedRequest) -> tuple[Response, Any]:
        credential = self._credential(sent)
        mark = self._token_of if credential is None else self._new_id
        body = sent.body
        if body.json is not msgspec.UNSET:
            body = Body(json=self._translated(body.json, mark))
        elif body.text is not None:
            body = Body(text=self._translate(body.text, mark))
        path = self._translate(sent.path, mark)
        if sent.query:
            path += f"?{self._translate(sent.query, mark)}"
        headers = {name: self._translate(value, mark) for name, value in sent.headers.items()}
        if credential is not None and self._aws is not None:
            from qwicket.testing.cassettes.aws import sign_headers

            path = quote(path, safe="/?&=%:+~-._")
            signing = {**headers, "host": self._host}
            headers = sign_headers(credential, self._aws, sent.method, path, signing, body.content)
        connection = http.client.HTTPConnection(self._host, timeout=_TIMEOUT_S)
        try:
            connection.request(sent.method, path, body.content or None, headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        answered = {name.lower(): value for name, value in response.getheaders()}
        return Response(response.status, answered), Body.of(content).json

    # --- ids --------------------------------------------------------------------------------------

    def _credential(self, sent: RecordedRequest) -> Credential | None:
        """Return the credential scope of a recorded request; None without a signature or keys."""
        if self._aws is None or not sent.headers.get("authorization", "").startswith("AWS4-"):
            return None
        from qwicket.testing.cassettes.aws import credential_of

        return credential_of(sent.headers)

    def _token_of(self, _mark: str) -> str:
        return self._token

    def _new_id(self, mark: str) -> str:
        """Return one id for each hidden text, which in a signed request is an id, not a key."""
        return self._new_ids.setdefault(mark, str(uuid4()))

    def _translate(self, text: str, fill: Callable[[str], str]) -> str:
        for theirs in sorted(self._qwicket_texts, key=len, reverse=True):
            text = text.replace(theirs, self._qwicket_texts[theirs])
        return ANY_MARK.sub(lambda found: fill(found[0]), text)

    def _translated(self, value: Any, fill: Callable[[str], str]) -> Any:
        if isinstance(value, dict):
            return {
                self._translate(name, fill): self._translated(each, fill)
                for name, each in value.items()
            }
        if isinstance(value, list):
            return [self._translated(each, fill) for each in value]
        return self._translate(value, fill) if isinstance(value, str) else value

    def _learn(self, there: Any, here: Any) -> None:
        """Note Qwicket's id for each id of the vendor at the same place."""
        if isinstance(there, dict) and isinstance(here, dict):
            for name in there.keys() & here.keys():
                self._learn(there[name], here[name])
        elif isinstance(there, list) and isinstance(here, list):
            for recorded, ours in zip(there, here, strict=False):
                self._learn(recorded, ours)
        elif isinstance(there, str) and isinstance(here, str) and there != here:
            is_id = _kind(there) in _ID_KINDS and len(there) >= _MIN_ID_CHARS
            if is_id and _kind(here) in _ID_KINDS:
                self._qwicket_texts.setdefault(there, here)


class Response(msgspec.Struct, frozen=True):
    """Status and headers of Qwicket's response."""

    status: int
    headers: dict[str, str]


def _compare(field: str, there: Any, here: Any) -> Iterator[tuple[str, str, str]]:
    """Yield each field that differs, with the vendor's value and Qwicket's."""
    if isinstance(there, dict) and isinstance(here, dict):
        ours, theirs = _by_name(here), _by_name(there)
        for name in [*theirs, *(name for name in ours if name not in theirs)]:
            below = f"{field}/{name}"
            if name not in ours:
                yield below, _described(theirs[name][0]), "nothing"
            elif name not in theirs:
                yield below, "nothing", _described(ours[name][0])
            else:
                yield from _compare_all(below, theirs[name], ours[name])
    elif isinstance(there, list) and isinstance(here, list):
        if there and here:  # an empty list has no element to compare
            yield from _compare_all(f"{field}/*", there, here)
    elif isinstance(there, str) and isinstance(here, str) and there[:1] == here[:1] == "{":
        # Some have JSON in texts of JSON.
        documents = Body.of(there.encode()).json, Body.of(here.encode()).json
        if msgspec.UNSET not in documents:
            yield from _compare(field, *documents)
    elif not _is_alike(there, here):
        yield field or "/", _described(there), _described(here)


def _compare_all(field: str, there: list[Any], here: list[Any]) -> Iterator[tuple[str, str, str]]:
    """Yield the differences of several values of a field, in pairs; the last of `here` repeats."""
    seen = set()
    for number, recorded in enumerate(there):
        for each in _compare(field, recorded, here[min(number, len(here) - 1)]):
            if each not in seen:
                seen.add(each)
                yield each


def _by_name(value: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return an object's values by name; names that are themselves values become `*`."""
    found: dict[str, list[Any]] = {}
    for name, each in value.items():
        found.setdefault("*" if _DATA_KEY.fullmatch(name) else name, []).append(each)
    return found


def _is_alike(there: Any, here: Any) -> bool:
    if isinstance(there, str) and isinstance(here, str):
        kind = _kind(there)
        return kind == _kind(here) and (kind != "word" or there == here)
    return _described(there) == _described(here)


def _kind(text: str) -> str:
    return next((kind for kind, form in _KINDS.items() if form.fullmatch(text)), "text")


def _described(value: Any) -> str:
    if isinstance(value, str):
        kind = _kind(value)
        return f'"{value}"' if kind == "word" else kind
    names: Iterable[tuple[type, str]] = (
        (bool, "true or false"),
        (int, "number"),
        (float, "number"),
        (dict, "object"),
        (list, "list"),
    )
    return next((name for kind, name in names if isinstance(value, kind)), "null")


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "")
    if name == "content-type":
        return value.partition(";")[0].strip().lower() or "nothing"
    return "given" if value else "nothing"


def _pattern(path: str) -> str:
    return "/".join("*" if _kind(each) in _ID_KINDS else each for each in path.split("/"))


def _is_same_call(one: RecordedRequest, other: RecordedRequest) -> bool:
    return (one.method, one.path, one.query) == (other.method, other.path, other.query)


def _may_settle(drift: Drift) -> bool:
    """Return whether a difference may disappear when Qwicket's job has ended."""
    has_word = '"' in drift.vendor + drift.qwicket
    return drift.field == "status" or has_word or "nothing" in drift.qwicket
