"""A vendor can be deleted: what is left keeps the contracts, serves jobs, and passes its tests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import qwicket
from qwicket.clients.native.errors import ApiError
from qwicket.vendors import NAMES
from support.remotes import PHOTONS
from support.server import LiveServer
from support.vendor_folders import PUBLIC_CLIENTS

pytestmark = [pytest.mark.extended, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
BELL = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;
"""
OF_CORE = (
    *("circuits", "devices", "dialects", "drivers", "gateway", "model", "programs", "schema"),
    "engines/test_engines.py",
)
"""Unit tests of what could know a vendor."""


def copy_without(folder: Path, vendors: Sequence[str]) -> dict[str, str]:
    """Copy the source and the tests without some vendors; return the environment to use them."""
    ignored = shutil.ignore_patterns("__pycache__", "suites")
    shutil.copytree(ROOT / "src", folder / "src", ignore=ignored)
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name in ("docs", "tools", "benchmarks", "deploy", "CONTRIBUTING.md"):  # what tests read
        (folder / name).symlink_to(ROOT / name)
    package = folder / "src" / "qwicket"
    names = package / "vendors" / "__init__.py"
    for vendor in vendors:
        shutil.rmtree(package / "vendors" / vendor)
        shutil.rmtree(package / "clients" / PUBLIC_CLIENTS.get(vendor, vendor), ignore_errors=True)
        shutil.rmtree(folder / "tests" / "vendors" / vendor)
        text, n_lines = re.subn(rf'^    "{vendor}",\n', "", names.read_text(), flags=re.MULTILINE)
        assert n_lines == 1
        names.write_text(text)
    path = [str(folder / "src"), str(folder / "tests"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


def run(folder: Path, env: dict[str, str], *command: str) -> None:
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def check(folder: Path, env: dict[str, str]) -> None:
    """Check style and contracts of what is left, and that its server runs a job."""
    run(folder, env, "ruff", "check", "--no-cache", "src")
    run(folder, env, "lint-imports", "--no-cache")
    live = LiveServer(folder / "server", PYTHONPATH=env["PYTHONPATH"])
    with qwicket.connect(live.url, live.token()) as client:
        counts = client.submit(BELL, "simulator", shots=100).result(60).counts
    assert live.stop() == 0
    assert sum(counts.values()) == 100
    assert set(counts) <= {"00", "11"}


@pytest.mark.parametrize("vendor", NAMES)
def test_a_vendor_can_be_deleted(vendor: str, tmp_path: Path) -> None:
    check(tmp_path, copy_without(tmp_path, [vendor]))


def test_what_a_server_with_the_vendor_stored_is_served_without_it(tmp_path: Path) -> None:
    live = LiveServer(tmp_path / "server")
    token = live.token()
    with qwicket.connect(live.url, token) as client:
        job = client.submit(PHOTONS, "simulon_gaussian", outputs=("samples",))
        samples = job.result(60).samples
    assert live.stop() == 0
    live._env = {"PYTHONPATH": copy_without(tmp_path, ["xanadu"])["PYTHONPATH"]}
    live.start()
    with qwicket.connect(live.url, token) as client:
        assert client.job(job.id).result(60).samples == samples
        device = client.device("simulon_gaussian")
        assert (device.status, device.info["qubits"]) == ("off", 0)
        assert device.info["reason"] == "this server has no engines for the family photonic"
        with pytest.raises(ApiError, match="this server does not read blackbird"):
            client.submit(PHOTONS, "simulon_gaussian", format="blackbird", outputs=("samples",))
        assert client.submit(BELL, "simulator").result(60).counts
    assert live.stop() == 0
    assert b"Traceback" not in live.log.read_bytes()


def test_the_core_passes_its_tests_without_any_vendor(tmp_path: Path) -> None:
    env = copy_without(tmp_path, NAMES)
    check(tmp_path, env)
    folders = [f"tests/unit/{name}" for name in OF_CORE]
    openqasm = "--ignore=tests/unit/programs/openqasm"  # a language that knows no vendor
    options = ("-q", "-p", "no:cacheprovider", "-m", "not extended", openqasm)
    run(tmp_path, env, "pytest", *options, *folders)
