"""Errors for misspelt names and for things that do not exist suggest the right name."""

from __future__ import annotations

import os
import pty
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

import qwicket
from qwicket.clients.native import ApiError
from support.agents import QUBITS, Lab
from support.server import LiveServer, run_cli
from support.waiting import PROMPT_S, until

BELL = 'OPENQASM 3.0; include "stdgates.inc"; qubit[1] q; bit c; h q[0]; c = measure q[0];'


@pytest.fixture
def client(server: LiveServer) -> Iterator[qwicket.Client]:
    with qwicket.connect(server.url, server.token()) as made:
        yield made


@pytest.fixture
def env(server: LiveServer, tmp_path: Path) -> dict[str, str]:
    return {
        "QWICKET_URL": server.url,
        "QWICKET_TOKEN": server.token(),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"device": "simulater"}, "There is no device simulater. Did you mean 'simulator'?"),
        ({"noise": "aria1"}, "Did you mean 'aria-1'?"),
        ({"engine": "statevectr"}, "Did you mean 'statevector'?"),
        ({"format": "openqsm3"}, "Did you mean 'openqasm3'?"),
        (
            {"device": "qpu.aria-1", "noise": "foo"},
            "no noise model 'foo': its noise follows from its",
        ),
        ({"shots": 0}, "shots must be a whole number of at least 1, not 0."),
    ],
)
def test_the_server_names_what_was_probably_meant(
    client: qwicket.Client, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(ApiError) as caught:
        client.submit(BELL, **{"device": "simulator", **asked})
    assert said in caught.value.detail


def test_a_device_that_was_asked_for_by_a_wrong_name(client: qwicket.Client) -> None:
    with pytest.raises(ApiError, match="Did you mean 'simulator'"):
        client.device("simulatr")


@pytest.mark.parametrize(
    ("path", "body", "near"),
    [
        ("/v1/groups", {"device": "simulatr"}, "simulator"),
        ("/v1/webhooks", {"url": "https://lab.example/", "device": "simulatr"}, "simulator"),
        ("/v1/tokens", {"scopes": ["jobs:read"], "devices": ["simulatr"]}, "simulator"),
        (
            "/qbraid/api/v1/jobs",
            {
                "deviceQrn": "qbraid:qbraid:sim:statevectr",
                "program": {"format": "qasm3", "data": BELL},
                "shots": 1,
            },
            "qbraid:qbraid:sim:statevector",
        ),
        (
            "/qbraid/api/quantum-jobs",
            {"qbraidDeviceId": "qbraid_statevectr", "openQasm": BELL, "shots": 1},
            "qbraid_statevector",
        ),
    ],
)
def test_every_request_with_a_device_suggests_its_name(
    server: LiveServer, path: str, body: dict[str, Any], near: str
) -> None:
    token = server.managing_token()
    headers = {"Authorization": f"Bearer {token}", "X-API-KEY": token}
    answer = httpx.post(f"{server.url}{path}", json=body, headers=headers)
    assert answer.status_code == 404, answer.text
    assert f"Did you mean '{near}'?" in answer.text


def test_addresses_with_a_device_suggest_its_name(server: LiveServer) -> None:
    qlued = f"{server.url}/qlued/api/v2"
    for name, near in (("rydber", "rydberg"), ("qwicket_rydbrg_simulator", "qwicket_rydberg")):
        answer = httpx.get(f"{qlued}/{name}/get_config")
        assert answer.status_code == 404
        assert f"Did you mean '{near}" in answer.text


def test_a_list_of_no_jobs_says_that_there_is_no_such_device(env: dict[str, str]) -> None:
    done = run_cli("jobs", "--device", "simulatr", env=env)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "There is no device simulatr. Did you mean 'simulator'?\n"


@pytest.mark.parametrize("words", ["on", "off --reason x", "drain --reason x", "message {} text"])
def test_an_administrator_is_told_the_name_of_a_device(server: LiveServer, words: str) -> None:
    command, _, options = words.partition(" ")
    place = ["--data-dir", str(server.folder / "data")]
    named = options.format("simulatr") if "{}" in options else f"simulatr {options}"
    done = run_cli("device", command, *named.split(), *place)
    assert done.returncode == 1
    assert "There is no device simulatr. Did you mean 'simulator'?" in done.stderr


def test_a_lab_is_told_the_name_of_a_format(server: LiveServer, tmp_path: Path) -> None:
    lab = Lab(server, tmp_path / "lab", kind=QUBITS | {"formats": '"openqsm3"'})
    done = run_cli("agent", "push-config", str(lab.config), env=lab.environment())
    assert done.returncode == 1
    assert "not 'openqsm3'. Did you mean 'openqasm3'?" in done.stderr


def test_a_wrong_argument_error_names_the_function_that_the_user_called(
    client: qwicket.Client,
) -> None:
    simulator = client.device("simulator")
    with pytest.raises(TypeError, match=r"^run\(\) has no argument 'shot'. Did you mean 'shots'"):
        simulator.run(BELL, shot=3)
    with pytest.raises(TypeError, match=r"^submit\(\) has no argument 'shot'."):
        client.submit(BELL, "simulator", shot=3)


def test_a_device_that_is_off_needs_an_administrator_instead_of_retries(
    server: LiveServer, client: qwicket.Client
) -> None:
    server.admin("device", "off", "clifford", "--reason", "new fridge", "--until", "2h")

    until(
        lambda: client.device("clifford").status == "off", "the device is off", timeout_s=PROMPT_S
    )
    with pytest.raises(ApiError) as caught:
        client.submit(BELL, "clifford")
    server.admin("device", "on", "clifford")
    assert caught.value.detail.startswith("The device clifford is off until 20")
    assert caught.value.detail.endswith(" UTC: new fridge.")
    assert "again later" not in caught.value.remedy
    assert "administrator" in caught.value.remedy


def test_a_cancel_that_comes_too_late_says_so(client: qwicket.Client, env: dict[str, str]) -> None:
    job = client.submit(BELL, "simulator", shots=10)
    job.wait()
    done = run_cli("job", "cancel", job.id, env=env)
    assert done.returncode == 0
    assert done.stdout == f"{job.id}  completed  it had ended before: nothing was cancelled\n"


def completions(env: dict[str, str], *words: str) -> list[str]:
    """Return what the tab key offers for the last word."""
    asked = {
        **env,
        "_QWICKET_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("qwicket", *words)),
        "COMP_CWORD": str(len(words)),
    }
    done = run_cli(env=asked)
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


def test_the_tab_key_offers_what_the_server_knows(
    client: qwicket.Client, env: dict[str, str], tmp_path: Path
) -> None:
    assert completions(env, "submit", "--device", "simula") == ["simulator"]
    assert completions(env, "devices", "cliff") == ["clifford"]
    submit = ("submit", "--device", "simulator", "--noise", "forte-e")
    assert completions(env, *submit) == ["forte-enterprise-1"]
    job = client.submit(BELL, "simulator", shots=10)
    job.wait()
    assert job.id in completions(env, "result", job.id[:8])
    (tmp_path / "config" / "qwicket").mkdir(parents=True)
    (tmp_path / "config" / "qwicket" / "config.toml").write_text(
        '[profiles.lab]\nurl = "http://lab"\n[profiles.home]\nurl = "http://home"\n'
    )
    assert completions(env, "jobs", "--profile", "la") == ["lab"]


def test_the_tab_key_offers_nothing_where_no_server_answers(env: dict[str, str]) -> None:
    away = {**env, "QWICKET_URL": "http://127.0.0.1:1"}
    assert completions(away, "submit", "--device", "s") == []
    assert completions({**away, "QWICKET_TOKEN": ""}, "result", "0") == []


def test_completions_are_cached_for_a_moment(env: dict[str, str], tmp_path: Path) -> None:
    assert completions(env, "devices", "cliff") == ["clifford"]
    (kept,) = (tmp_path / "cache" / "qwicket").glob("completion-*.json")
    assert kept.stat().st_mode & 0o077 == 0
    kept.write_text('["cliffhanger"]')
    assert completions(env, "devices", "cliff") == ["cliffhanger"]
    os.utime(kept, (0, 0))
    assert completions(env, "devices", "cliff") == ["clifford"]


def test_devices_can_be_listed_by_family_and_by_who_is_there(env: dict[str, str]) -> None:
    atoms = run_cli("devices", "--family", "atoms", env=env).stdout.splitlines()
    everything = run_cli("devices", env=env).stdout.splitlines()
    assert 0 < len(atoms) < len(everything)
    assert all(" atoms " in line for line in atoms)
    online = run_cli("devices", "--online", env=env).stdout.splitlines()
    assert online
    assert all("  on  " in line for line in online)


def on_terminal(env: dict[str, str], columns: int, *arguments: str) -> str:
    """Return what a command prints on a terminal of so many columns."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update({**env, "COLUMNS": str(columns), "TERM": "dumb"})
        os.execv(sys.executable, [sys.executable, "-m", "qwicket", *arguments])
    told = b""
    with suppress(OSError):  # the end of a terminal
        while piece := os.read(terminal, 65536):
            told += piece
    os.waitpid(pid, 0)
    os.close(terminal)
    return told.decode()


def test_a_narrow_terminal_has_a_line_for_each_device(env: dict[str, str]) -> None:
    wide = on_terminal(env, 200, "devices")
    assert "description" in wide
    narrow = on_terminal(env, 60, "devices")
    assert "description" not in narrow
    names = run_cli("devices", env=env).stdout.splitlines()
    assert len(narrow.splitlines()) == len(names) + 2  # heads and a rule
