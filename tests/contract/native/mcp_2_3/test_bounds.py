"""Tokens with bounds, by the official SDK's client: caps, and a person who confirms.

`submit` returns the answer to `submit_job`. A person answers with the account's other token.
"""

import asyncio
import contextlib
import os
import subprocess

import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from support.vendors import answer_question, bounded_token

URL, TOKEN = os.environ["QWICKET_URL"], os.environ["QWICKET_TOKEN"]
BELL = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;
"""
OTHER = BELL.replace("h q[0]", "x q[0]")
BED = """
import sys
from qwicket.testing import server
with server() as cloud:
    cloud.freeze()
    print(cloud.url, cloud.token, flush=True)
    for line in sys.stdin:
        cloud.advance(float(line))
        print(flush=True)
"""
"""A server whose clock stands still, and advances by the seconds of each line."""

by_mode = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])


def run(test, mode="auto", url=URL, **bounds):
    """Run a test with a function that submits a job under a new token, and with that token."""
    token = bounded_token(**bounds)

    async def whole():
        http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"})
        transport = streamable_http_client(f"{url}/mcp", http_client=http)
        async with Client(transport, mode=mode) as client:

            async def submit(program=BELL, shots=100, tool="submit_job", **others):
                arguments = {"device": "simulator", "program": program, "shots": shots, **others}
                found = await client.call_tool(tool, arguments)
                answer = found.structured_content
                assert found.is_error == ("error" in answer)
                return answer

            await test(submit, token)

    asyncio.run(whole())


def code(answer):
    return answer.get("error", {}).get("code", "accepted")


def sentence(answer):
    assert code(answer) == "confirmation_needed", answer
    return answer["next"]


@by_mode
def test_a_cap_is_reached(mode):
    run(a_cap, mode, daily_shots=250)


async def a_cap(submit, _):
    assert code(await submit()) == "accepted"
    estimate = await submit(tool="estimate")
    assert estimate["bounds"]["shots_left"] == 150
    assert code(await submit()) == "accepted"
    refused = await submit()
    assert code(refused) == "bound_reached"
    assert "50 shots left, and this job needs 100 shots" in refused["untrusted"]["detail"]
    assert code(await submit(shots=50)) == "accepted"


@by_mode
def test_a_confirmation_is_for_one_job_once(mode):
    run(confirmations, mode, ask_above_shots=50)


async def confirmations(submit, own):
    assert code(await submit(shots=50)) == "accepted"
    estimate = await submit(tool="estimate")
    assert estimate["bounds"]["asks_first"]
    refused = await submit()
    said = sentence(refused)
    assert f'Say to the person: "Please open {URL}/ui/confirmations/' in said
    assert answer_question(said, own) == 403, "the assistant's own token"
    assert answer_question(said, bounded_token(daily_shots=1)) == 403, "another assistant's token"
    assert answer_question(said, os.environ["QWICKET_OTHER_TOKEN"]) == 404
    assert sentence(await submit()) == said
    assert answer_question(said, TOKEN) == 200
    assert sentence(await submit(shots=101)) != said
    assert sentence(await submit(OTHER)) != said
    key = {"idempotency_key": os.urandom(8).hex()}
    first = await submit(**key)
    assert code(first) == "accepted"
    assert (await submit(**key))["id"] == first["id"]
    replayed = sentence(await submit())
    assert replayed != said
    assert answer_question(said, TOKEN) == 409
    assert answer_question(replayed, TOKEN, "refuse") == 200
    assert code(await submit()) == "confirmation_refused"


@contextlib.contextmanager
def bed_with_clock(monkeypatch):
    """Yield the address of a test bed, and a function that advances its clock."""
    command = [os.environ["QWICKET_PYTHON"], "-c", BED]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as bed:
        assert bed.stdin
        assert bed.stdout
        given, printed = bed.stdin, bed.stdout
        url, token = printed.readline().split()
        for name, value in (("URL", url), ("TOKEN", token), ("MANAGING_TOKEN", token)):
            monkeypatch.setenv(f"QWICKET_{name}", value)

        def advance(seconds):
            given.write(f"{seconds}\n")
            given.flush()
            printed.readline()

        yield url, token, advance
        given.close()
        assert bed.wait(timeout=30) == 0


def test_a_late_confirmation_confirms_nothing(monkeypatch):
    with bed_with_clock(monkeypatch) as (url, person, advance):

        async def late(submit, _):
            said = sentence(await submit())
            advance(1_800)
            assert sentence(await submit()) == said, "the person has an hour"
            assert answer_question(said, person) == 200
            advance(300)
            again = sentence(await submit())
            assert again != said
            assert answer_question(again, person) == 200
            advance(299)
            assert code(await submit()) == "accepted"
            never = sentence(await submit())
            advance(3_600)
            assert answer_question(never, person) == 409

        run(late, url=url, ask_above_shots=50)
