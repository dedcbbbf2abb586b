"""Output of the command line for people: the first hint, the doctor, completion, tables."""

from __future__ import annotations

import json
import os
import pty
import re
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from support.installed import installed
from support.postgres import PostgresServer
from support.server import ANNOUNCEMENT, LiveServer, cli, run_cli
from support.waiting import until

pytestmark = pytest.mark.extended

QWICKET = [sys.executable, "-m", "qwicket"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # without a qwicket.toml
    for name in ("QWICKET_URL", "QWICKET_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


# --- the first hint ------------------------------------------------------------------------------


def first_words(data: Path, *options: str) -> str:
    """Return what a server prints on a terminal until it is stopped."""
    ours, theirs = pty.openpty()
    command = [
        *QWICKET,
        "serve",
        "--port",
        "0",
        "--workers",
        "1",
        "--data-dir",
        str(data),
        *options,
    ]
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    text = b""
    try:
        os.set_blocking(ours, False)

        def listens() -> bool:
            nonlocal text
            with suppress(BlockingIOError):
                text += os.read(ours, 65536)
            return ANNOUNCEMENT.encode() in text

        until(listens, "it listens", timeout_s=60)
        process.terminate()
        process.wait(40)
        os.set_blocking(ours, True)
        while chunk := _rest(ours):
            text += chunk
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return text.decode().replace("\r\n", "\n")


def _rest(file: int) -> bytes:
    try:
        return os.read(file, 65536)
    except OSError:  # as Linux reports the end
        return b""


def test_a_server_on_an_empty_folder_shows_the_next_commands(folder: Path) -> None:
    data = folder / "a folder"
    said = first_words(data)
    commands = [line.strip() for line in said.splitlines() if line.startswith("    ")]
    assert commands[0] == f"qwicket user add ada --data-dir '{data}'"
    # The printed commands work unchanged in a shell.
    made = f"{commands[0]} && {commands[1].partition(' # ')[0]} && echo $QWICKET_TOKEN"
    made = made.replace("qwicket ", f"{sys.executable} -m qwicket ")
    done = subprocess.run(["bash", "-c", made], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"ada \(member\)\nqw_\w+\n", done.stdout)
    assert "user add" not in first_words(data), "it is said once"


def test_no_hint_without_a_terminal_or_with_a_json_log(folder: Path) -> None:
    server = LiveServer(folder / "server")
    assert server.stop() == 0
    assert "user add" not in server.log.read_text()
    assert "user add" not in first_words(folder / "json", "--log-format", "json")


# --- doctor --------------------------------------------------------------------------------------


def doctor(*options: str, status: int = 0, **env: str) -> dict[str, dict[str, Any]]:
    """Return what the doctor found, the last of each kind."""
    # A server on port 8000 of this machine must not affect these tests.
    done = run_cli("doctor", "--json", *options, env={"QWICKET_PORT": "0", **env})
    assert (done.returncode, done.stderr) == (status, ""), done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["ok"] == (status == 0)
    return {each["about"]: each for each in told["findings"]}


def test_the_doctor_finds_a_sound_installation_sound_before_anything_is_made(folder: Path) -> None:
    found = doctor("--data-dir", str(folder / "data"))
    assert {each["status"] for each in found.values()} == {"ok"}
    assert {"installed", "folder", "database", "compute", "parsers", "server"} <= set(found)
    assert not (folder / "data").exists(), "it changes nothing"


def test_the_doctor_looks_at_a_server_that_runs(server: LiveServer) -> None:
    data = str(server.folder / "data")
    secret = server.token()
    found = doctor("--data-dir", data, QWICKET_URL=server.url, QWICKET_TOKEN=secret)
    assert found["server"]["found"] == f"{server.url} is ready"
    assert found["token"]["found"].startswith(
        f"QWICKET_TOKEN is one of {server.account}: jobs:read"
    )
    assert found["clock"]["status"] == found["database"]["status"] == "ok"
    done = run_cli(
        *("doctor", "--data-dir", data),
        env={"QWICKET_URL": server.url, "QWICKET_TOKEN": secret, "QWICKET_PORT": "0"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "✓ server    a server runs on the folder" in done.stdout
    assert secret not in done.stdout


def test_the_doctor_names_a_server_that_is_not_there_and_a_token_that_is_none(
    server: LiveServer, folder: Path
) -> None:
    data = ["--data-dir", str(folder / "data")]
    found = doctor(*data, status=1, QWICKET_URL="http://127.0.0.1:1")
    assert found["server"]["status"] == "wrong"
    assert "qwicket serve" in found["server"]["remedy"]
    assert "qwicket serve" not in found["server"]["found"], "the advice is given once"
    found = doctor(*data, status=1, QWICKET_URL=server.url, QWICKET_TOKEN="qw_nonsense")
    assert found["token"]["status"] == "wrong"
    assert "token create" in found["token"]["remedy"]
    assert "qw_nonsense" not in str(found)


def test_the_doctor_finds_a_broken_database_and_leaves_it_as_it_is(folder: Path) -> None:
    data = folder / "data"
    cli("user", "add", "ada", "--data-dir", str(data))
    broken = bytearray((data / "qwicket.db").read_bytes())
    broken[4096:12288] = b"\xaa" * 8192
    (data / "qwicket.db").write_bytes(broken)
    found = doctor("--data-dir", str(data), status=1)
    assert found["database"]["status"] == "wrong"
    assert "backup" in found["database"]["remedy"]
    assert (data / "qwicket.db").read_bytes() == broken


def test_the_doctor_warns_of_tokens_that_end_soon_and_of_a_clock_that_was_set_back(
    folder: Path,
) -> None:
    place = ["--data-dir", str(folder / "data")]
    cli("user", "add", "ada", *place)
    assert "token create --user ada" in doctor(*place)["tokens"]["remedy"]
    cli("token", "create", "--user", "ada", "--expires", "3d", *place)
    assert "of ada expires" in doctor(*place)["tokens"]["found"]
    with closing(sqlite3.connect(folder / "data" / "qwicket.db", isolation_level=None)) as database:
        database.execute("update account set created_at = created_at + 86400000")
    found = doctor(*place, status=1)
    assert "was set back" in found["clock"]["found"]


def test_the_doctor_finds_a_folder_that_others_may_enter_or_that_cannot_be_made(
    folder: Path,
) -> None:
    open_folder = folder / "open"
    open_folder.mkdir(mode=0o755)
    found = doctor("--data-dir", str(open_folder))
    assert found["folder"] == {
        "about": "folder",
        "status": "warning",
        "found": f"{open_folder} can be entered by other users",
        "remedy": f"chmod 700 {open_folder}",
    }
    (folder / "file").touch()
    found = doctor("--data-dir", str(folder / "file" / "data"), status=1)
    assert found["folder"]["status"] == "wrong"


def test_the_doctor_looks_at_postgresql_and_prints_no_password(postgres: PostgresServer) -> None:
    with postgres.database() as url:
        found = doctor("--database-url", url)
    assert found["database"]["found"].startswith("PostgreSQL at ")
    hidden = "postgresql://ada:hunter2secret@127.0.0.1:1/none"
    done = run_cli("doctor", "--database-url", hidden)
    assert done.returncode == 1
    assert "✗ database" in done.stdout
    assert "hunter2secret" not in done.stdout + done.stderr


# --- bench ---------------------------------------------------------------------------------------


def test_the_bench_prints_what_it_measured_as_lines_or_json() -> None:
    quick = ("doctor", "bench", "--seconds", "0.5", "--connections", "2")
    found = json.loads(run_cli(*quick, "--json").stdout)
    assert 0 < found["submit_to_result_p50_ms"] <= found["submit_to_result_p95_ms"]
    assert found["jobs_per_s"] > 0
    assert found["connections"] == 2
    done = run_cli(*quick)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split(",")[0] for line in done.stdout.splitlines()[1:]] == [
        "submit to result",
        "jobs a second",
    ]


# --- completion ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def on_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a PATH with `qwicket` on it."""
    binary = tmp_path_factory.mktemp("bin") / "qwicket"
    binary.write_text(f'#!/bin/sh\nexec {sys.executable} -m qwicket "$@"\n')
    binary.chmod(0o755)
    return f"{binary.parent}{os.pathsep}{os.environ['PATH']}"


def complete(shell: str, script: str, on_path: str) -> str:
    done = subprocess.run(
        [installed(shell), "-c", script],
        env={"PATH": on_path, "HOME": os.environ.get("HOME", "/"), "TERM": "dumb"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_bash_completes_commands_and_options(on_path: str) -> None:
    script = """
        eval "$(qwicket --completion bash)"
        typed() {
            COMPREPLY=() COMP_WORDS=(qwicket "$@") COMP_CWORD=$#
            _qwicket_completion qwicket
            echo "${COMPREPLY[@]}"
        }
        typed wat; typed token cr; typed submit --sh
    """
    assert complete("bash", script, on_path).split() == ["watch", "create", "--shots"]


def test_fish_completes_commands(on_path: str) -> None:
    script = "qwicket --completion fish | source; complete -C 'qwicket wat'"
    assert complete("fish", script, on_path).split()[0] == "watch"


@pytest.mark.parametrize("setting_up", ["", "autoload -U compinit; compinit -u -D"])
def test_zsh_takes_the_completion_whether_or_not_it_was_set_up(
    on_path: str, setting_up: str, tmp_path: Path
) -> None:
    script = f"""
        export ZDOTDIR={tmp_path}
        {setting_up}
        eval "$(qwicket --completion zsh)"
        echo ${{_comps[qwicket]}}
    """
    assert complete("zsh", script, on_path).strip() == "_qwicket_completion"


def test_a_shell_that_is_not_known_is_one_line() -> None:
    done = run_cli("--completion", "csh")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
