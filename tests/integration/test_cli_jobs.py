"""`qwicket jobs`, `job`, `result`, `cancel` and `watch` as processes against a live server."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.held import HeldJob, held_job
from support.programs import BELL
from support.server import LiveServer, run_cli
from support.waiting import PROMPT_S, until

pytestmark = pytest.mark.extended

QWICKET = [sys.executable, "-m", "qwicket"]
LIMIT_S = 90


@pytest.fixture(scope="module")
def lone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server of this module's own, with one slot: what is submitted second waits."""
    live = LiveServer(tmp_path_factory.mktemp("lone"), "--workers", "1", "--express-slots", "0")
    yield live
    assert live.stop() == 0
    live.assert_calm()


@pytest.fixture
def env(lone: LiveServer) -> dict[str, str]:
    return {"QWICKET_URL": lone.url, "QWICKET_TOKEN": lone.token()}


def submit(lone: LiveServer, program: Any = BELL, **fields: Any) -> str:
    body = {"program": program, "device": "simulator", "shots": 10, **fields}
    with lone.client() as http:
        return str(http.post("/v1/jobs", json=body).json()["id"])


@contextmanager
def started(
    env: dict[str, str], *arguments: str, stdout: int = subprocess.PIPE
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*QWICKET, *arguments],
        env={**os.environ, **env},
        stdout=stdout,
        stderr=subprocess.PIPE if stdout == subprocess.PIPE else stdout,
        text=True,
        start_new_session=True,
    )
    watchdog = threading.Timer(LIMIT_S, process.kill)
    watchdog.start()
    try:
        yield process
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


def test_a_job_is_listed_read_and_its_result_shown(lone: LiveServer, env: dict[str, str]) -> None:
    job = submit(lone, name="listed", tags=["one"])
    done = run_cli("watch", job, env=env)
    assert (done.returncode, done.stderr) == (0, f"Page: {lone.url}/ui/jobs/{job}\n")
    assert done.stdout.splitlines()[-1].endswith(f"{job}  completed")
    found = run_cli("jobs", "--tag", "one", "--state", "completed", "--since", "1h", env=env)
    assert found.stdout.split()[:3] == [job, "simulator", "completed"]
    (told,) = json.loads(run_cli("jobs", "--name", "listed", "--json", env=env).stdout)
    assert (told["id"], told["tags"]) == (job, ["one"])
    assert json.loads(run_cli("job", "show", job, "--json", env=env).stdout)["state"] == "completed"
    assert "█" in run_cli("result", job, env=env).stdout


def test_a_job_that_has_ended_is_deleted(lone: LiveServer, env: dict[str, str]) -> None:
    job = submit(lone)
    assert run_cli("watch", job, env=env).returncode == 0
    done = run_cli("job", "delete", job, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "not_found" in run_cli("job", "show", job, env=env).stderr


def test_the_server_of_a_profile_lists_its_devices_and_the_account(
    lone: LiveServer, tmp_path: Path
) -> None:
    settings = tmp_path / "qwicket" / "config.toml"
    settings.parent.mkdir()
    settings.write_text(f'[profiles.lab]\nurl = "{lone.url}"\ntoken = "{lone.token()}"\n')
    settings.chmod(0o600)
    env = {"XDG_CONFIG_HOME": str(tmp_path)}
    listed = run_cli("devices", "--profile", "lab", env=env)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "X8_01  photonic  8 modes  on  Four two-mode squeezers" in listed.stdout
    one = run_cli("devices", "qwicket_line5", "--profile", "lab", env=env).stdout.splitlines()
    assert re.fullmatch(r"queue +0 waiting", one[2])
    assert re.fullmatch(r"native gates +rz, sx, x, cx", one[-1])
    body = json.loads(run_cli("devices", "parked", "--profile", "lab", "--json", env=env).stdout)
    assert (body["name"], body["status"]) == ("parked", "off")
    told = run_cli("account", "--profile", "lab", env=env).stdout
    assert re.search(rf"^server +{lone.url}$", told, re.MULTILINE)
    assert re.search(r"^scopes +jobs:read jobs:write devices:read", told, re.MULTILINE)
    assert re.search(r"^expires +never$", told, re.MULTILINE)
    nowhere = run_cli("devices", "nowhere", "--profile", "lab", env=env)
    assert (nowhere.returncode, nowhere.stdout, nowhere.stderr.count("\n")) == (1, "", 1)
    assert "no profile 'home'" in run_cli("account", "--profile", "home", env=env).stderr


def test_programs_for_atoms_need_no_format_option(env: dict[str, str], tmp_path: Path) -> None:
    pulse = {"instructions": [["rlx", [0], [3.14159]], ["measure", [0], []]]}
    program = {"experiment_0": {**pulse, "num_wires": 1, "shots": 3}}
    path = tmp_path / "pulse.json"
    path.write_text(json.dumps(program))
    done = run_cli("submit", str(path), "--device", "rydberg", "--wait", env=env)
    assert done.stdout.splitlines()[1:] == ["  1", "  1", "  1"]


def test_watch_shows_position_and_states_to_the_end(lone: LiveServer, env: dict[str, str]) -> None:
    busy = submit(lone, held_job().program)
    job = submit(lone)
    with started(env, "watch", job) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        if first.endswith("  queued\n"):  # the forecast was made in the second before
            first = process.stdout.readline()
        assert re.fullmatch(
            rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ  {job}  queued, position \d+, .*\n", first
        )
        assert run_cli("job", "cancel", busy, env=env).returncode == 0
        out, err = process.communicate()
    assert (process.returncode, err) == (0, f"Page: {lone.url}/ui/jobs/{job}\n")
    states = [line.split("  ")[2].split(",")[0] for line in out.splitlines()]
    assert states[-1] == "completed"
    assert set(states) <= {"queued", "running", "completed"}
    cancelled = run_cli("watch", busy, env=env)
    assert (cancelled.returncode, cancelled.stdout.split()[-1]) == (4, "cancelled")
    assert run_cli("result", busy, env=env).returncode == 4


def test_watch_as_json_is_a_document_for_each_change(lone: LiveServer, env: dict[str, str]) -> None:
    held = held_job()
    job = submit(lone, held.program)
    with started(env, "watch", job, "--json") as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        held.release()
        told = [json.loads(line) for line in (first + process.communicate()[0]).splitlines()]
    assert {each["id"] for each in told} == {job}
    assert told[0]["state"] in ("queued", "running")
    assert told[-1]["state"] == "completed"
    versions = [each["version"] for each in told]
    assert versions == sorted(versions)


def test_watch_all_shows_unfinished_jobs_and_every_change_until_ctrl_c(
    lone: LiveServer, env: dict[str, str]
) -> None:
    waiting = submit(lone, held_job().program)
    with started(env, "watch", "--all") as process:
        assert process.stdout is not None
        assert waiting in process.stdout.readline()
        job = submit(lone)
        run_cli("job", "cancel", waiting, env=env)
        seen = ""
        while f"{job}  completed" not in seen:
            seen += process.stdout.readline()
        assert f"{waiting}  cancelled" in seen
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in err


def test_watch_outlasts_a_server_that_restarts(tmp_path: Path) -> None:
    live = LiveServer(tmp_path / "server", "--workers", "1")
    env = {"QWICKET_URL": live.url, "QWICKET_TOKEN": live.token()}
    held = held_job()
    job = submit(live, held.program)
    held.wait_until_running()
    with started(env, "watch", job) as process:
        assert process.stdout is not None
        process.stdout.readline()
        live.kill()
        live.start()
        held.release()
        out, err = process.communicate()
    assert (process.returncode, err) == (0, f"Page: {live.url}/ui/jobs/{job}\n")
    assert out.splitlines()[-1].endswith(f"{job}  completed")
    assert live.stop() == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((), "Name a job, or --all."), (("x", "--all"), "Name a job, or --all.")],
)
def test_watch_wants_a_job_or_all(arguments: tuple[str, ...], said: str) -> None:
    done = run_cli("watch", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said.rstrip(".") in done.stderr


def test_watch_of_an_unknown_job_is_one_line(env: dict[str, str]) -> None:
    done = run_cli("watch", "nothing", env=env)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "not_found" in done.stderr


def test_on_a_terminal_there_are_tables_and_a_line_that_is_rewritten(
    lone: LiveServer, env: dict[str, str]
) -> None:
    held = held_job()
    job = submit(lone, held.program, name="on a terminal")
    text = on_terminal({**env, "TERM": "xterm"}, "watch", job, held=held)
    assert "running" in text
    assert text.splitlines()[-1].strip() == f"{job}  completed"
    listed = on_terminal(env, "jobs", "--name", "on a terminal")
    assert re.search(r"id +device +state", listed)
    assert "━" in listed or "─" in listed


def test_on_a_terminal_all_jobs_are_a_table_that_goes_on(
    lone: LiveServer, env: dict[str, str]
) -> None:
    waiting = submit(lone, held_job().program)
    ours, theirs = pty.openpty()
    text = b""
    wide = {**env, "TERM": "xterm", "COLUMNS": "150"}
    with started(wide, "watch", "--all", stdout=theirs) as process:
        while waiting.encode() not in text:
            text += os.read(ours, 65536)
        job = submit(lone)
        run_cli("job", "cancel", waiting, env=env)
        while b"completed" not in text.partition(job.encode())[2]:
            text += os.read(ours, 65536)
        os.killpg(process.pid, signal.SIGINT)
        until(lambda: process.poll() is not None, "it has ended", timeout_s=PROMPT_S)
        assert process.returncode == 130
    os.close(theirs)
    os.close(ours)
    assert b"Traceback" not in text


def on_terminal(env: dict[str, str], *arguments: str, held: HeldJob | None = None) -> str:
    """Run a command on a terminal of its own; return all that it wrote there.

    A held job is released once the command shows that it runs.
    """
    ours, theirs = pty.openpty()
    with started({"COLUMNS": "200", **env}, *arguments, stdout=theirs) as process:
        os.close(theirs)
        text = b""
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # as Linux reports the end
                break
            if not chunk:
                break
            text += chunk
            if held is not None and b"running" in text:
                held.release()
        until(lambda: process.poll() is not None, "it has ended", timeout_s=PROMPT_S)
    os.close(ours)
    assert process.returncode == 0, text
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.decode())
