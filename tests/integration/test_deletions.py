"""A vendor or feature can be deleted: the rest keeps its contracts, serves jobs, passes tests."""

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
from qwicket import features, vendors
from qwicket.clients.native.errors import ApiError
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


def copy_without(
    folder: Path, vendors: Sequence[str] = (), features: Sequence[str] = ()
) -> dict[str, str]:
    """Copy source and tests without some vendors and features; return the environment to use."""
    # With its bytecode: copies have the times of their originals.
    shutil.copytree(ROOT / "src", folder / "src")
    suites = shutil.ignore_patterns("suites")
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=suites)
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name in ("docs", "tools", "benchmarks", "deploy", "CONTRIBUTING.md"):  # what tests read
        (folder / name).symlink_to(ROOT / name)
    for vendor in vendors:
        delete(folder, "vendors", vendor)
        client = folder / "src" / "qwicket" / "clients" / PUBLIC_CLIENTS.get(vendor, vendor)
        shutil.rmtree(client, ignore_errors=True)
    for feature in features:
        delete(folder, "features", feature)
    path = [str(folder / "src"), str(folder / "tests"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


def delete(folder: Path, ring: str, name: str) -> None:
    """Delete a folder of a ring, its tests, its extra, and its line in the ring's list."""
    package = folder / "src" / "qwicket" / ring
    shutil.rmtree(package / name)
    shutil.rmtree(folder / "tests" / ring / name)
    names = package / "__init__.py"
    text, n_lines = re.subn(rf'^    "{name}",\n', "", names.read_text(), flags=re.MULTILINE)
    assert n_lines == 1
    names.write_text(text)
    project = folder / "pyproject.toml"
    extra = re.compile(rf"^{name} = \[.*\]\n", re.MULTILINE)
    project.write_text(extra.sub("", project.read_text()))


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


@pytest.mark.parametrize("vendor", vendors.NAMES)
def test_a_vendor_can_be_deleted(vendor: str, tmp_path: Path) -> None:
    check(tmp_path, copy_without(tmp_path, vendors=[vendor]))


@pytest.mark.parametrize("feature", features.NAMES)
def test_a_feature_can_be_deleted(feature: str, tmp_path: Path) -> None:
    check(tmp_path, copy_without(tmp_path, features=[feature]))


def test_what_a_server_with_the_vendor_stored_is_served_without_it(tmp_path: Path) -> None:
    live = LiveServer(tmp_path / "server")
    token = live.token()
    with qwicket.connect(live.url, token) as client:
        job = client.submit(PHOTONS, "simulon_gaussian", outputs=("samples",))
        samples = job.result(60).samples
    assert live.stop() == 0
    live._env = {"PYTHONPATH": copy_without(tmp_path, vendors=["xanadu"])["PYTHONPATH"]}
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
