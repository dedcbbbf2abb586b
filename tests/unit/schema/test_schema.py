"""The shapes that server, clients, commands and agents share."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import msgspec
import pytest

from qwicket import schema
from qwicket.dialects.native import description
from support.for_each import for_each

STRUCTS = [
    each
    for name in schema.__all__
    for each in vars(getattr(schema, name)).values()
    if isinstance(each, type) and issubclass(each, msgspec.Struct)
]
SCHEMAS = json.loads(msgspec.json.encode(description()))["components"]["schemas"]
SECRET = "do-not-show-me"
REQUIRED_FIELDS: dict[type[msgspec.Struct], dict[str, Any]] = {
    schema.accounts.AccountBody: {"name": "ada", "token": {"id": "t1"}},
    schema.devices.DeviceBody: {"name": "simulator"},
    schema.jobs.JobBody: {"id": "j1", "state": "queued"},
    schema.results.OutcomeBody: {},
    schema.results.ResultBody: {"parts": [{}]},
}
"""What clients need at least; the rest an older server may not know."""


def test_a_light_client_imports_it_without_anything_but_msgspec() -> None:
    program = (
        "import sys; import msgspec, enum, typing; known = set(sys.modules)\n"
        "import qwicket.schema\n"
        "new = {name.partition('.')[0] for name in sys.modules.keys() - known}\n"
        "print(*(new - sys.stdlib_module_names))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["qwicket"]


@pytest.mark.parametrize("name", ["secret", "nonce"])
def test_no_secret_is_shown(name: str) -> None:
    holders = [each for each in STRUCTS if name in each.__struct_fields__]
    assert holders
    for struct in holders:
        text = dict.fromkeys(struct.__struct_fields__, "x") | {name: SECRET}
        assert SECRET not in repr(struct(**text))
        assert SECRET not in repr([struct(**text)])
    lease = schema.pilots.LeaseBody(id="j1", fence=1, nonce=SECRET)
    job = schema.pilots.TaskJobBody(
        lease=lease,
        device="x",
        family="qubit",
        circuits=b"",
        options=b"",
        est_bytes=0,
        est_seconds=0,
    )
    assert SECRET not in repr(job)


@for_each("struct", REQUIRED_FIELDS)
def test_a_client_reads_an_older_and_a_newer_servers_answer(struct: type[msgspec.Struct]) -> None:
    older = msgspec.convert(REQUIRED_FIELDS[struct], struct)
    newer = msgspec.convert({**REQUIRED_FIELDS[struct], "of_a_later_version": [1]}, struct)
    assert newer == older


def test_words_that_a_client_does_not_know_are_no_error() -> None:
    job = msgspec.convert({"id": "j1", "state": "pondering"}, schema.jobs.JobBody)
    assert job.state == "pondering"
    device = {"name": "d", "family": "ions", "status": "asleep"}
    assert msgspec.convert(device, schema.devices.DeviceBody).family == "ions"


def test_what_the_server_always_sends_is_required_although_clients_have_defaults() -> None:
    assert set(SCHEMAS["JobBody"]["required"]) == set(schema.jobs.JobBody.__struct_fields__)
    optional = {"agents", "last_seen_at", "queue", "reservations"}
    expected = set(schema.devices.DeviceBody.__struct_fields__) - optional
    assert set(SCHEMAS["DeviceBody"]["required"]) == expected
    assert SCHEMAS["OutcomeBody"]["required"] == ["part"]
    assert "program" not in SCHEMAS["TaskJobBody"]["required"], "only a job of a lab has one"


def test_the_description_lists_the_servers_enumerations() -> None:
    states = SCHEMAS["JobBody"]["properties"]["state"]["$ref"]
    assert "uncertain" in SCHEMAS[states.rpartition("/")[2]]["enum"]
    assert SCHEMAS["DeviceBody"]["properties"]["status"]["enum"] == [
        "away",
        "draining",
        "off",
        "on",
    ]


def test_a_part_has_its_number_though_it_is_zero() -> None:
    assert msgspec.json.encode(schema.results.OutcomeBody(part=0)) == b'{"part":0}'
