"""What a person confirms: the account, the device, the program, the shots and the cost."""

from __future__ import annotations

from typing import Any

import pytest

from qwicket.gateway import Gateway
from qwicket.gateway.admin import Admin
from qwicket.model.accounts import Actor
from qwicket.model.bounds import Bounds
from qwicket.model.errors import BudgetSpent, ConfirmationNeeded, ConfirmationRefused
from qwicket.model.jobs import NewJob, Submission
from unit.gateway.conftest import Clock

pytestmark = pytest.mark.anyio

SOURCE = b"""OPENQASM 3.0; include "stdgates.inc"; input float a; input float b; qubit q; bit c;
rx(a) q; rz(b) q; c = measure q;"""
LONG = SOURCE + b"\n//" + b"x" * (70 << 10)


async def signed_in(admin: Admin, gateway: Gateway, name: str, **bounds: int) -> Actor:
    made = await admin.create_token(name, bounds=Bounds(**bounds))
    return await gateway.auth.by_token(made.secret, "127.0.0.1")


@pytest.fixture
async def ada(admin: Admin, gateway: Gateway) -> Actor:
    await admin.add_account("ada", email=None, password=None)
    return await signed_in(admin, gateway, "ada", ask_above_shots=50)


def submission(**changes: Any) -> Submission:
    values: dict[str, Any] = {
        "dialect": "native",
        "device": "simulator",
        "format": "openqasm3",
        "source": SOURCE,
        "shots": 100,
        "inputs": {"a": 1.0, "b": 2.0},
    }
    return Submission(**values | changes)


async def admitted(gateway: Gateway, actor: Actor, **changes: Any) -> NewJob:
    return await gateway._admission.admit(actor, submission(**changes))


@pytest.mark.needs_vendors
async def test_a_question_is_about_one_program_for_one_device(
    admin: Admin, gateway: Gateway, ada: Actor
) -> None:
    first = await admitted(gateway, ada)
    assert (first.token, first.bounds) == (ada.token, ada.bounds)
    same: tuple[dict[str, Any], ...] = (
        {"inputs": {"b": 2.0, "a": 1.0}},
        {"name": "another", "tags": ("x",), "idempotency_key": "key", "seed": 7},
    )
    for changes in same:
        assert (await admitted(gateway, ada, **changes)).question == first.question, changes
    other: tuple[dict[str, Any], ...] = (
        {"shots": 101},
        {"inputs": {"a": 2.0, "b": 1.0}},
        {"source": SOURCE.replace(b"rx", b"ry")},
        {"source": LONG},
        {"device": "qwicket_line5"},
    )
    questions = {(await admitted(gateway, ada, **changes)).question for changes in other}
    assert len(questions | {first.question}) == 1 + len(other)
    assert (await admitted(gateway, ada, source=LONG)).question in questions
    await admin.add_account("bob", email=None, password=None)
    bob = await signed_in(admin, gateway, "bob", ask_above_shots=50)
    assert (await admitted(gateway, bob)).question != first.question


async def test_a_job_within_the_bounds_or_without_use_asks_nothing(
    gateway: Gateway, ada: Actor
) -> None:
    assert (await admitted(gateway, ada, shots=50)).question == b""
    dry = await admitted(gateway, ada, dry_run=True)
    assert (dry.bounds, dry.question) == (None, b"")


async def test_an_answer_is_late_on_the_servers_clock(
    gateway: Gateway, ada: Actor, clock: Clock
) -> None:
    async def refusal() -> BudgetSpent:
        with pytest.raises(BudgetSpent) as refused:
            await gateway.jobs.submit(ada, submission())
        return refused.value

    async def answer(*, is_confirmed: bool) -> None:
        (question,) = await gateway.store.bounds.waiting(ada.account, clock())
        await gateway.store.bounds.answer(
            ada.account, question.id, is_confirmed=is_confirmed, answered_by="", now=clock()
        )

    needed = await refusal()
    assert isinstance(needed, ConfirmationNeeded)
    assert "This job of 100 shots on simulator was not submitted" in needed.detail
    assert "asks a person first above 50 shots a job (bound ask_above_shots)" in needed.detail
    needed.locate("https://lab.example.org")
    assert '"Please open https://lab.example.org/ui/confirmations/' in needed.detail
    await answer(is_confirmed=True)
    clock.ms += 300_000
    assert isinstance(await refusal(), ConfirmationNeeded)
    await answer(is_confirmed=True)
    clock.ms += 299_999
    await gateway.jobs.submit(ada, submission())
    assert isinstance(await refusal(), ConfirmationNeeded)
    await answer(is_confirmed=False)
    assert isinstance(await refusal(), ConfirmationRefused)
    clock.ms += 300_000
    assert isinstance(await refusal(), ConfirmationNeeded)
