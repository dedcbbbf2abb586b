"""A proxy that makes some requests or responses fail, as a faulty vendor would; seeded."""

from __future__ import annotations

import base64
import io
import json
import random
import re
import socket
import time
import zipfile
import zlib
from collections import defaultdict, deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from support.cutting_proxy import CuttingProxy, message, moved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MIN_KINDS: Final = 4
"""Kinds of faults in a test that is about them. Chance makes as few as three in a short one."""
_HTML: Final = b"<html><body>502 Bad Gateway</body></html>"
_BEFORE: Final = ("429", "503", "reset")
"""Faults in place of the request, which does not reach the server."""
_AFTER: Final = ("502", "lost", "half", "html", "hang")
"""Faults of the answer to a request that the server has executed. Where there were similar requests
before, it may also be `other`, the answer to one of another job, or `old`, an earlier answer. Lists
may be `twice`, which names each job two times, and results `changed`, also those within jobs. Only
a `rule` makes lists `empty`."""
_SUBMISSIONS: Final = (b"/jobs ", b"/post_job", b"/circuit ", b"/quantum-task ")
_ID: Final = re.compile(rb"(?<=/)[^/? ]*([0-9a-f]{12}|-qjob-)[^/? ]*|(?<=job_id=)[^& ]+")
"""The id of a job that is read."""
_OUTCOME: Final = re.compile(r"0x[0-9a-f]+|[0-9]+")
_ID_FIELDS: Final = {"id", "jobQrn", "job_id"}


class CrookedProxy(CuttingProxy):
    """Forwards requests; a share of them does not reach the server, or gets a bad answer.

    Attributes:
        share: Share of requests that go wrong.
        hang_s: Seconds for which it hangs.
        faults: Names of what went wrong, in order.
        submissions: The fault of each submission; empty for one without.
        mixes_up: Whether a submission may get the answer of another one.
        rule: Returns the fault of a request from its first line; replaces chance.
    """

    def __init__(self, url: str, seed: int, *, share: float = 0.4, hang_s: float = 120.0) -> None:
        super().__init__(url)
        self._random = random.Random(seed)
        self.share = share
        self.hang_s = hang_s
        self.faults: list[str] = []
        self.submissions: list[str] = []
        self.mixes_up = True
        self._only: str | None = None
        self.rule: Callable[[bytes], str] | None = None
        self._answers: defaultdict[bytes, deque[tuple[bytes, bytes]]] = defaultdict(
            lambda: deque(maxlen=100)
        )

    def __enter__(self) -> CrookedProxy:
        super().__enter__()
        return self

    def only(self, fault: str) -> None:
        """Use this fault alone from now on."""
        self._only = fault

    def rounds(self, n: int) -> Iterator[int]:
        """Count n rounds, and up to 10 more until there were enough kinds of faults."""
        for k in range(n + 10):
            if k >= n and len(set(self.faults)) >= MIN_KINDS:
                return
            yield k
        assert len(set(self.faults)) >= MIN_KINDS, "it did nothing else than pass requests on"

    def _exchange(self, client: socket.socket, server: socket.socket) -> bool:
        request = message(client)
        line = request.partition(b"\r\n")[0]
        submits = any(path in line for path in _SUBMISSIONS)
        is_submission = line.startswith(b"POST") and submits
        with self._lock:
            wrong = self._wrong_answers(line, is_submission=is_submission)
            # Few requests have wrong answers, so these then come as often as all other faults.
            special = [name for name, answers in wrong.items() if answers] + _edits(line)
            faults = self._random.choice([_BEFORE + _AFTER, special or _BEFORE + _AFTER])
            is_faulty = self._random.random() < self.share
            fault = (self._only or self._random.choice(faults)) if is_faulty else ""
            if self.rule is not None:
                fault = self.rule(line)
            if fault and fault not in _EDITS:
                self.faults.append(fault)
            if is_submission:
                self.submissions.append(fault)
        if fault in _BEFORE:
            return self._refuse(client, fault)
        server.sendall(request)
        answer = moved(message(server), self.server_url, self.url)
        if answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
            with self._lock:
                self._answers[_ID.sub(b"*", line)].append((line, answer))
        if wrong.get(fault):
            answer = self._random.choice(wrong[fault])
        elif fault in _EDITS:
            edited = _edited(answer, _EDITS[fault])
            if edited == answer:
                fault = self._random.choice(_AFTER)  # there is nothing to edit
            answer = edited
            self.faults.append(fault)
        return self._answer(client, answer, fault)

    def _wrong_answers(self, line: bytes, *, is_submission: bool) -> dict[str, list[bytes]]:
        """Return earlier answers by fault: to a request of another job, and to the same request.

        There are none for lists: an old list proves what is no longer true.
        """
        kind = _ID.sub(b"*", line)
        known = self._answers[kind]
        if is_submission:
            return {"other": [answer for _, answer in known] if self.mixes_up else []}
        if kind == line or not line.startswith(b"GET"):
            return {}
        return {
            "other": [answer for of, answer in known if of != line],
            "old": [answer for of, answer in known if of == line],
        }

    def _refuse(self, client: socket.socket, fault: str) -> bool:
        if fault == "reset":
            return False
        phrase = b"429 Too Many Requests" if fault == "429" else b"503 Service Unavailable"
        client.sendall(_response(phrase, _HTML, b"Retry-After: 1\r\n"))
        return True

    def _answer(self, client: socket.socket, answer: bytes, fault: str) -> bool:
        if fault == "hang":
            time.sleep(self.hang_s)
        if fault in ("hang", "lost"):
            return False
        if fault == "half":
            client.sendall(answer[: len(answer) * 2 // 3])
            return False
        if fault in ("502", "html"):
            client.sendall(_response(b"502 Bad Gateway" if fault == "502" else b"200 OK", _HTML))
            return True
        client.sendall(answer)
        return True


def _response(phrase: bytes, body: bytes, fields: bytes = b"") -> bytes:
    head = b"HTTP/1.1 %b\r\nContent-Type: text/html\r\n%bContent-Length: %d\r\n\r\n"
    return head % (phrase, fields, len(body)) + body


def _edits(line: bytes) -> list[str]:
    """Return the names of the edits that make sense for the answer to a request."""
    path = line.partition(b"?")[0].lower()
    if not line.startswith(b"GET") or b"job" not in path:
        return []
    return ["changed" if b"result" in path or _ID.search(line) else "twice"]


def _edited(answer: bytes, edit: Callable[[Any], Any]) -> bytes:
    """Return an answer with edited JSON or arrays; as it is if the edit changes nothing."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if body.startswith(b"PK"):
        content = _archive_with_one_outcome(body)
    else:
        try:
            document = json.loads(body)
        except ValueError:
            return answer
        edited = edit(document)
        content = body if edited == document else json.dumps(edited).encode()
    if content == body:
        return answer
    head = re.sub(rb"(?i)(content-length: *)\d+", rb"\g<1>%d" % len(content), head)
    return head + b"\r\n\r\n" + content


def _with_jobs(n: int, value: Any) -> Any:
    """Return JSON in which each list of jobs has each job n times."""
    if isinstance(value, dict):
        return {key: _with_jobs(n, each) for key, each in value.items()}
    if not isinstance(value, list):
        return value
    is_of_jobs = all(isinstance(each, dict) and _ID_FIELDS & each.keys() for each in value)
    return [each for each in value for _ in range(n if is_of_jobs else 1)]


def _with_one_outcome(value: Any) -> Any:
    """Return JSON in which all shots have the first one's outcome, as counts, list or array."""
    if isinstance(value, list):
        if all(isinstance(each, str) and _OUTCOME.fullmatch(each) for each in value):
            return value[:1] * len(value)
        return [_with_one_outcome(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("__type__") == "ndarray":  # of Qiskit's primitives
        packed = _array_with_one_outcome(zlib.decompress(base64.b64decode(value["__value__"])))
        return {**value, "__value__": base64.b64encode(zlib.compress(packed)).decode()}
    is_of_outcomes = value and all(
        _OUTCOME.fullmatch(key) and type(each) in (int, float) for key, each in value.items()
    )
    if is_of_outcomes:
        return {next(iter(value)): sum(value.values())}
    return {key: _with_one_outcome(each) for key, each in value.items()}


def _array_with_one_outcome(content: bytes) -> bytes:
    """Return a NumPy file in which all rows are the first; the last axis but one counts shots."""
    array = np.load(io.BytesIO(content))
    if array.ndim < 2:
        return content
    array[...] = array[..., :1, :]
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _archive_with_one_outcome(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    edited = {name: _array_with_one_outcome(each) for name, each in members.items()}
    if edited == members:
        return content
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, each in edited.items():
            archive.writestr(name, each)
    return file.getvalue()


_EDITS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "twice": partial(_with_jobs, 2),
    "empty": partial(_with_jobs, 0),
    "changed": _with_one_outcome,
}
