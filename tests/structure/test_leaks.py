"""What hostile tests look for in answers."""

from __future__ import annotations

import httpx
import pytest

from abuse.dialects import LEAK, harmless
from support.for_each import for_each


@for_each(
    "text",
    [
        "<object object at 0x7f34be88c1b0>",
        "at /srv/qwicket/run",
        "run.py:7",
        "numpy/random/_generator.pyx",
        "sqlite3.Error",
        "<html>",
        "Traceback",
    ],
)
def test_internals_are_found(text: str) -> None:
    assert LEAK.search(text)


@pytest.mark.parametrize("text", ["ada-qjob-1e6nqob30x7fmq04shhb", "0x7f000001", "e30.e30.pyX8_Q"])
def test_random_texts_are_no_leak(text: str) -> None:
    assert not LEAK.search(text)


def test_what_the_client_has_sent_is_no_leak() -> None:
    def answer(sent: str) -> httpx.Response:
        request = httpx.Request("POST", "http://test", content=sent.encode())
        return httpx.Response(201, text='{"name": "sqlite"}', request=request)

    harmless(answer('{"name": "sqlite"}'))
    for response in (answer("{}"), httpx.Response(201, text="sqlite")):
        with pytest.raises(AssertionError, match="sqlite"):
            harmless(response)
