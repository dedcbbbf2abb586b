"""The pytest plugin, as a project has it that installed the package."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.extended

EXAMPLE = Path(__file__).parents[2] / "examples" / "ci"
pytest_plugins = ["pytester"]

LOOPBACK = """
import fcntl, os, socket, struct, sys
up = struct.pack("16sh14x", b"lo", 1)  # IFF_UP
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, 0x8914, up)  # SIOCSIFFLAGS
os.execvp(sys.argv[1], sys.argv[1:])
"""
SUBMIT = """
    import requests

    def submit(cloud):
        bell = [{"gate": "h", "target": 0}]
        body = {"type": "ionq.circuit.v1", "backend": "simulator", "shots": 10,
                "input": {"qubits": 1, "circuit": bell}}
        headers = {"Authorization": f"apiKey {cloud.token}"}
        return requests.post(f"{cloud.url}/ionq/v0.4/jobs", json=body, headers=headers, timeout=30)
"""


def test_the_fixtures_are_there_by_themselves_and_each_test_begins_empty(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        SUBMIT
        + """
    def test_one(qwicket_cloud, monkeypatch):
        variables = qwicket_cloud.env("qiskit-ionq", monkeypatch=monkeypatch)
        assert variables["IONQ_API_URL"].startswith(qwicket_cloud.url)
        assert submit(qwicket_cloud).ok

    def test_two(qwicket_cloud, qwicket_server):
        assert qwicket_cloud is qwicket_server
        assert qwicket_cloud.requests() == []
        assert submit(qwicket_cloud).ok
        qwicket_cloud.assert_one(method="POST")
    """
    )
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=2)


def test_the_report_of_a_failed_test_has_the_journal_and_no_token(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        SUBMIT
        + """
    def test_one(qwicket_cloud):
        assert submit(qwicket_cloud).ok
        assert False, qwicket_cloud.url

    def test_two(qwicket_cloud):
        pass

    def test_three():
        assert False
    """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        ["*requests to the test bed*", "*POST /ionq/v0.4/jobs -> 201 in * ms  python-requests/*"]
    )
    assert str(result.stdout).count("requests to the test bed") == 1
    assert "qw_" not in str(result.stdout)


def test_the_guard_is_an_option_and_a_fixture(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
    import socket
    import pytest
    from qwicket.testing import LeakError

    def leak():
        socket.create_connection(("api.ionq.co", 443), timeout=1)

    def test_a_swallowed_leak_fails_the_test():
        try:
            leak()
        except LeakError:
            pass
        except OSError:
            pytest.fail("not guarded")
    """
    )
    result = pytester.runpytest_subprocess("--qwicket-guard")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["*LeakError: a client of IonQ tried api.ionq.co: set IONQ_API_URL*"]
    )


def test_strictness_is_a_setting(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
    import requests

    def test_one(qwicket_cloud):
        headers = {"Authorization": f"apiKey {qwicket_cloud.token}"}
        url = f"{qwicket_cloud.url}/ionq/v0.4/jobs?limt=3"
        assert requests.get(url, headers=headers, timeout=30).status_code == 400
    """
    )
    pytester.makeini("[pytest]\nqwicket_strict = true")
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=1)
    pytester.makeini("[pytest]\nqwicket_strict = perhaps")
    result = pytester.runpytest_subprocess("-q")
    result.stdout.fnmatch_lines(["*qwicket_strict is true or false, not 'perhaps'.*"])


def test_two_processes_of_xdist_have_a_test_bed_each(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        SUBMIT
        + """
    import pytest

    @pytest.mark.parametrize("number", range(4))
    def test_one(qwicket_cloud, number, worker_id):
        assert submit(qwicket_cloud).ok
        assert len(qwicket_cloud.assert_count(1, method="POST")) == 1
        print(worker_id, qwicket_cloud.url)
    """
    )
    result = pytester.runpytest_subprocess("-n", "2", "-rP")
    result.assert_outcomes(passed=4)
    urls = {line for line in result.outlines if line.startswith("gw")}
    assert len({line.split()[1] for line in urls}) == len({line.split()[0] for line in urls}) == 2


def test_the_example_repository_passes_its_own_tests_with_the_guard(
    pytester: pytest.Pytester,
) -> None:
    shutil.copytree(EXAMPLE, pytester.path, dirs_exist_ok=True)
    result = pytester.runpytest_subprocess("-v")
    result.assert_outcomes(passed=5)
    workflow = yaml.safe_load((EXAMPLE / ".github" / "workflows" / "tests.yml").read_text())
    assert workflow["jobs"]["tests"]["steps"][-1] == {"run": "pytest"}
    (service,) = yaml.safe_load((EXAMPLE / "compose.yaml").read_text())["services"].values()
    command = [sys.executable, *service["entrypoint"][1:], "--help"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.needs_root("not every system lets others make network namespaces")
def test_the_example_repository_passes_its_own_tests_without_a_network(
    pytester: pytest.Pytester,
) -> None:
    """The machine has nothing but a loopback interface there: no route, no names."""
    alone = ["unshare", "--net", sys.executable, "-c", LOOPBACK]
    shutil.copytree(EXAMPLE, pytester.path, dirs_exist_ok=True)
    offline = "import socket; socket.create_connection(('192.0.2.1', 9), timeout=5)"
    done = subprocess.run(
        [*alone, sys.executable, "-c", offline], capture_output=True, text=True, check=False
    )
    assert "Network is unreachable" in done.stderr
    command = [*alone, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    result = subprocess.run(
        command, cwd=pytester.path, capture_output=True, text=True, check=False, timeout=120
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "5 passed" in result.stdout


def test_a_project_that_uses_no_fixture_pays_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
    import sys

    def test_one():
        assert "qwicket.testing.plugin" in sys.modules
        heavy = ("qwicket.testing.cloud", "qwicket.cli", "qwicket.server", "msgspec")
        assert not [name for name in heavy if name in sys.modules]
    """
    )
    pytester.runpytest_subprocess("-q", "-p", "no:anyio").assert_outcomes(passed=1)
