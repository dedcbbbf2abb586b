"""What hostile tests look for in answers."""

from __future__ import annotations

import pytest

from abuse.dialects import LEAK


@pytest.mark.parametrize(
    "text", [f"{object()}", "at /srv/qwicket/run", "run.py", "sqlite3.Error", "<html>", "Traceback"]
)
def test_internals_are_found(text: str) -> None:
    assert LEAK.search(text)


def test_a_random_id_is_no_address() -> None:
    assert not LEAK.search("qbraid_statevector-ada-qjob-1e6nqob30x7fmq04shhb 0x7f")
