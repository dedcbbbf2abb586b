"""The leak guard: no connection of this process, or of its children, to another machine."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shlex
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator

import httpx
import pytest

from qwicket import testing
from qwicket.testing import Cloud, LeakError
from qwicket.testing.guard import Guard, Leak, is_local

JOBS = "/ionq/v0.4/jobs"
CODE = "import urllib.request as r\ntry: r.urlopen('https://api.ionq.co/v0.4/jobs')\n"
CODE += "except OSError as e: print(e)"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with testing.server() as cloud:
        yield cloud


@pytest.fixture
def http(cloud: Cloud) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"apiKey {cloud.token}"}
    with httpx.Client(base_url=cloud.url, headers=headers, timeout=30) as client:
        yield client


def test_a_leak_is_refused_before_the_name_is_looked_up_and_names_the_setting(
    cloud: Cloud, http: httpx.Client
) -> None:
    guard = cloud.guard()
    leak = r"qiskit-ibm-runtime tried iam\.cloud\.ibm\.com: set IAM_URL"

    def use() -> None:
        assert http.get(JOBS).is_success  # this machine is allowed
        with pytest.raises(LeakError, match=leak):
            httpx.get("https://iam.cloud.ibm.com/identity/token")

    with pytest.raises(LeakError, match=leak), guard:  # again, for a client that swallows it
        use()
    assert [each.host for each in guard.leaks] == ["iam.cloud.ibm.com"]


def test_a_leak_of_a_child_process_is_counted(cloud: Cloud) -> None:
    code = "import urllib.request as r\ntry: r.urlopen('https://api.ionq.co/v0.4/jobs')\n"
    code += "except OSError as e: print(e)"
    guard = cloud.guard()
    with pytest.raises(LeakError, match=r"a client of IonQ tried api\.ionq\.co"), guard:
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert b"403" in done.stdout
    assert [each.by for each in guard.leaks] == ["a child process"]


def test_nothing_is_refused_after_the_guard() -> None:
    with testing.server() as cloud, cloud.guard():
        pass
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.connect(("192.0.2.1", 9))  # sends nothing


@pytest.mark.parametrize(
    ("host", "local"),
    [
        *[(host, True) for host in ("localhost", "127.0.0.1", "127.9.9.9", "::1", "x.localhost")],
        *[(host, False) for host in ("10.0.0.1", "api.ionq.co", "localhost.evil.org", "::2")],
    ],
)
def test_what_is_this_machine(host: str, local: bool) -> None:
    assert is_local(host) is local


def leak() -> None:
    with contextlib.suppress(LeakError, OSError):
        urllib.request.urlopen("https://api.ionq.co/v0.4/jobs", timeout=5)


def leaks(run: Callable[[], object]) -> list[Leak]:
    """Return the leaks of a function, each of which must raise an error at its end."""
    guard = Guard()
    with pytest.raises(LeakError, match=r"a client of IonQ tried api\.ionq\.co"), guard:
        run()
    return guard.leaks


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_leak_of_a_process_of_multiprocessing_is_counted(method: str) -> None:
    def run() -> None:
        process = multiprocessing.get_context(method).Process(target=leak)  # type: ignore[attr-defined]  # both have it
        process.start()
        process.join(60)

    assert leaks(run) == [("api.ionq.co", "a child process")]


def test_a_leak_of_a_shell_command_is_counted_and_the_environment_is_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("ALL_PROXY", raising=False)
    before = {**os.environ}

    def run() -> None:
        os.system(f"{shlex.join([sys.executable, '-c', CODE])} >&2")
        assert os.environ == before

    assert leaks(run) == [("api.ionq.co", "a child process")]
    shown = subprocess.run(["env"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert "HTTPS_PROXY=http://127.0.0.1:9" in shown
    assert not [line for line in shown if line.startswith("ALL_PROXY=")]


def test_the_outer_one_of_two_guards_guards_children_again() -> None:
    def run() -> None:
        with Guard():
            pass
        subprocess.run([sys.executable, "-c", CODE], stdout=subprocess.DEVNULL, check=True)

    assert leaks(run) == [("api.ionq.co", "a child process")]
