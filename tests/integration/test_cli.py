"""The commands as processes: a live server, signals, pipes, exit status."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from support.programs import BELL
from support.server import ANNOUNCEMENT, LiveServer, run_cli
from support.waiting import until

pytestmark = pytest.mark.extended

QWICKET = [sys.executable, "-m", "qwicket"]
LIMIT_S = 60


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # without a qwicket.toml
    return tmp_path


@pytest.fixture
def env(server: LiveServer) -> dict[str, str]:
    return {"QWICKET_URL": server.url, "QWICKET_TOKEN": server.token()}


@contextmanager
def started(*command: str, stdin: int = subprocess.DEVNULL) -> Iterator[subprocess.Popen[str]]:
    """Start a command in a session of its own, as a terminal does; it must not outlive the test."""
    process = subprocess.Popen(
        [*QWICKET, *command],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
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


def line_with(stream: Iterable[str] | None, text: str) -> str:
    for line in stream or ():
        if text in line:
            return line
    raise AssertionError(f"no line with {text!r}")


def refused(*command: str, status: int = 1) -> str:
    done = run_cli(*command)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


# --- submit ----------------------------------------------------------------------------------


def test_submit_a_file_and_wait(env: dict[str, str], folder: Path) -> None:
    (folder / "bell.json").write_text(json.dumps(BELL))
    done = run_cli("submit", "bell.json", "--device", "simulator", "--wait", env=env)
    first, *bars = done.stdout.splitlines()
    assert re.fullmatch(r"[0-9a-f-]{36}  completed", first)
    page = f"Page: {env['QWICKET_URL']}/ui/jobs/{first.split()[0]}\n"
    assert (done.returncode, done.stderr) == (0, page)
    assert {bar.split()[0] for bar in bars} == {"00", "11"}


def test_submit_standard_input_as_json(env: dict[str, str]) -> None:
    command = ["submit", "-", "--device", "simulator", "--shots", "50", "--json"]
    done = run_cli(*command, env=env, stdin=json.dumps(BELL))
    submitted = json.loads(done.stdout)
    assert sorted(submitted) == ["id", "state", "url"]
    done = run_cli(*command, "--wait", env=env, stdin=json.dumps(BELL))
    result = json.loads(done.stdout)
    assert sorted(result) == ["error", "id", "parts", "state", "url"]
    assert sum(result["parts"][0]["counts"].values()) == 50
    assert done.stdout.count("\n") == 1


def test_a_refused_submission_is_one_line(env: dict[str, str]) -> None:
    done = run_cli("submit", "-", "--device", "simulator", env=env, stdin="no program")
    assert (done.returncode, done.stdout) == (1, "")
    assert "invalid_program" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_reader_that_goes_away_is_no_traceback(server: LiveServer) -> None:
    server.token()
    command = f"{sys.executable} -m qwicket user list --data-dir {server.folder / 'data'} | true"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr


# --- accounts --------------------------------------------------------------------------------


def test_accounts_and_tokens_are_made_while_the_server_runs(server: LiveServer) -> None:
    server.admin("user", "add", "dora")
    token = server.admin("token", "create", "--user", "dora", "--scope", "devices:read")
    with server.client(token) as http:
        assert http.get("/v1/devices").status_code == 200
        assert http.get("/v1/jobs").status_code == 403
    server.admin("user", "disable", "dora")
    with server.client(token) as http:
        until(lambda: http.get("/v1/devices").status_code == 401, "a refusal")


def test_password_stdin_takes_one_line_and_leaves_the_rest(folder: Path) -> None:
    commands = " && ".join(
        f"{sys.executable} -m qwicket user add {name} --password-stdin --data-dir {folder / 'data'}"
        for name in ("ada", "eve")
    )
    done = subprocess.run(
        ["sh", "-c", f"{{ {commands} && cat; }}"],
        input="the password of ada\nthe password of eve\nthe rest\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "ada (member)\neve (member)\nthe rest\n"
    assert done.returncode == 0


# --- serve -----------------------------------------------------------------------------------


def test_serve_on_the_folder_of_another_server_is_one_line(server: LiveServer) -> None:
    data = str(server.folder / "data")
    assert "Another server or a restore uses" in refused("serve", "--port", "0", "--data-dir", data)


def test_serve_on_a_port_in_use_is_one_line(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = refused("serve", "--port", port, "--data-dir", str(folder / "data"))
    assert port in said
    assert "address already in use" in said.lower()
    assert "--port: " in said
    assert "Choose another port" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--host", "192.0.2.1"), "--host: 192.0.2.1 is not an address of this machine."),
        (("--host", "no-such-host.invalid"), "--host: no-such-host.invalid is not an address"),
    ],
)
def test_serve_on_an_address_that_is_none_here_names_the_option(
    folder: Path, options: tuple[str, ...], said: str
) -> None:
    data = str(folder / "data")
    assert said in refused("serve", "--port", "0", "--data-dir", data, *options)


def test_serve_says_what_it_serves_and_that_it_stops(folder: Path) -> None:
    live = LiveServer(folder, "--no-passwords")  # else it prints a link for the first account
    assert live.stop() == 0
    listens, serves, stopping, stopped = live.log.read_text().splitlines()
    assert listens == f"Qwicket listens on {live.url}"
    with_workers = re.fullmatch(
        r"Qwicket serves (\d+) devices; simulations run in 2 worker processes\.", serves
    )
    assert with_workers is not None
    assert int(with_workers[1]) > 10
    assert stopping.startswith("Qwicket is stopping: running jobs have 2 s")
    assert stopped == "Qwicket has stopped."


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_error_shows_the_password_of_a_database(folder: Path, log_format: str) -> None:
    for url in (
        "postgresql://ada:hush%20hush@127.0.0.1:1/qwicket",
        "postgresql://ada@127.0.0.1:1/qwicket?password=hush%20hush",
        "postgresql://ada:hush%20hush@127.0.0.1:no/qwicket",
    ):
        done = run_cli(
            "serve", "--port", "0", "--log-format", log_format, env={"QWICKET_DATABASE_URL": url}
        )
        assert done.returncode != 0
        assert "hush" not in done.stdout + done.stderr


def test_serve_on_a_folder_that_cannot_be_made_is_one_line(folder: Path) -> None:
    (folder / "file").touch()
    said = refused("serve", "--port", "0", "--data-dir", str(folder / "file" / "data"))
    assert "Not a directory" in said
    assert str(folder) in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_ends_cleanly_on_a_signal(number: signal.Signals, folder: Path) -> None:
    place = f'port = 0\ndata-dir = "{folder / "data"}"\nworkers = 1\n'
    (folder / "qwicket.toml").write_text(place + "no-passwords = true\n")
    with started("serve") as process:
        line_with(process.stderr, ANNOUNCEMENT)
        os.killpg(process.pid, number)
        out, err = process.communicate()
    assert (process.returncode, out) == (0, "")
    assert all(line.startswith("Qwicket ") for line in err.splitlines()), err


def test_serve_obeys_the_limits_of_its_settings_file(folder: Path) -> None:
    (folder / "qwicket.toml").write_text("[limits]\nshots = 5\n")
    server = LiveServer(folder / "server", "--workers", "1")
    with server.client() as http:
        answer = http.post("/v1/jobs", json={"device": "simulator", "program": BELL, "shots": 6})
    assert "limit shots" in answer.json()["detail"]
    assert server.stop() == 0


# --- demo ------------------------------------------------------------------------------------


def place(process: subprocess.Popen[str]) -> tuple[tuple[str, int], Path]:
    """Return address and folder of the demo's server, which runs when this returns."""
    line = line_with(process.stdout, "A server runs at")
    found = re.search(r"http://([^:]+):(\d+), its database in (\S+)\.$", line.strip())
    assert found, line
    return (found[1], int(found[2])), Path(found[3])


def assert_no_trace(address: tuple[str, int], folder: Path) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    assert not folder.exists()


def test_demo_runs_a_bell_pair_and_the_command() -> None:
    command = "import os; print(os.environ['QWICKET_TOKEN'][:3]); raise SystemExit(7)"
    done = run_cli("demo", sys.executable, "-c", command)
    assert (done.returncode, done.stderr) == (7, "")
    lines = done.stdout.splitlines()
    assert {line.split()[0] for line in lines if "█" in line} == {"00", "11"}
    assert "qw_" in lines
    assert lines[-1] == "The server has stopped and its folder is gone."


def test_demo_with_a_command_that_is_not_there_is_one_line() -> None:
    done = run_cli("demo", "--", "no-such-command")
    assert (done.returncode, done.stderr) == (
        1,
        "Error: no-such-command: No such file or directory.\n",
    )


def test_ctrl_c_while_the_demos_command_runs_leaves_no_trace() -> None:
    command = ["sh", "-c", "echo begun; exec sleep 60"]
    with started("demo", "--", *command) as process:
        where = place(process)
        line_with(process.stdout, "begun")
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "The server has stopped and its folder is gone." in out
    assert_no_trace(*where)


def test_a_kept_demo_prints_links_that_sign_in_until_ctrl_c_and_leaves_no_trace() -> None:
    terminal, stdin = os.openpty()
    with started("demo", "--keep", stdin=stdin) as process:
        where = place(process)
        first = line_with(process.stdout, "/ui/link?code=").strip()
        os.write(terminal, b"\n")
        second = line_with(process.stdout, "/ui/link?code=").strip()
        assert "Sign in as ada" not in httpx.get(first).text, "the second replaces it"
        assert "Sign in as ada" in httpx.get(second).text
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert out.endswith("The server has stopped and its folder is gone.\n")
    assert_no_trace(*where)
    for each in (terminal, stdin):
        os.close(each)


def test_sigterm_to_the_demo_leaves_no_trace() -> None:
    with started("demo", "--keep") as process:
        where = place(process)
        line_with(process.stdout, "/ui/link?code=")
        process.terminate()
        _, err = process.communicate()
    assert process.returncode == 143, err
    assert "Traceback" not in err
    assert_no_trace(*where)
