"""Which requests have an earlier answer, and how much of a body is kept."""

from __future__ import annotations

from typing import Any

import pytest

from qwicket.testing.bed.journal import JournalKeeper, Record, Redactor

KEPT_BYTES = 64 << 10


def request(journal: JournalKeeper, method: str) -> Record:
    scope: Any = {
        "type": "http",
        "method": method,
        "path": "/v1/jobs",
        "query_string": b"",
        "headers": [(b"authorization", b"Bearer x")],
    }
    record = journal.begin("native", scope)
    record.sent({"type": "http.response.start", "status": 200, "headers": []})
    return record


@pytest.mark.parametrize(("method", "has_earlier"), [("GET", True), ("POST", False)])
def test_only_a_read_has_an_earlier_answer(method: str, has_earlier: bool) -> None:
    journal = JournalKeeper(str)
    first, second = request(journal, method), request(journal, method)
    assert journal.earlier(second) is (first if has_earlier else None)


def test_the_first_64_kib_of_each_body_are_kept() -> None:
    record = request(JournalKeeper(str), "POST")
    for chunk in (bytes(KEPT_BYTES - 1), b"ab", b"c"):
        record.received({"type": "http.request", "body": chunk})
        record.sent({"type": "http.response.body", "body": chunk})
    assert record.body == record.response_body == bytes(KEPT_BYTES - 1) + b"a"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"clientToken": "a1"}', '{"clientToken": "a1"}'),
        ('{"token": "a1", "x": 1}', '{"token": "***", "x": 1}'),
        ('{"clientTokenSecret": "a1"}', '{"clientTokenSecret": "***"}'),
    ],
)
def test_an_idempotency_key_is_no_secret(text: str, shown: str) -> None:
    assert Redactor(None)(text) == shown
