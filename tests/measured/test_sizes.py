"""Sizes: of a light installation, of what is imported, of the pages and the memory they need."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode

import pytest

from contract.environments import install_project, light
from measured.conftest import Record, settled_bytes
from qwicket.pages.admin import PAGES
from support.pages import PASSWORD, Browser, Person
from support.processes import resident_bytes
from support.server import LiveServer, running_server
from unit.cli.test_imports import loaded as loaded_by_command
from unit.server.test_imports import loaded

BLOCK_BYTES = 4096
MB = 1e6
OF_TESTS = {"sitecustomize"}
"""What each interpreter imports that tests start (`support/held`), and no user's."""


def file_sizes(folder: Path) -> list[int]:
    """Return the sizes of all files and folders, without the bytecode that Python adds."""
    found = []
    for root, folders, files in os.walk(folder):
        if "__pycache__" in folders:
            folders.remove("__pycache__")
        found += [(Path(root) / name).lstat().st_size for name in [".", *files]]
    return found


def test_a_light_installation(tmp_path: Path, record: Record) -> None:
    python = light()
    install_project(python, tmp_path / "site")
    where = [str(python), "-c", "import numpy; print(numpy.__path__[0])"]
    found = subprocess.run(where, check=True, capture_output=True, text=True).stdout.strip()
    sizes = file_sizes(Path(found).parent) + file_sizes(tmp_path / "site")
    blocks = sum(-(-size // BLOCK_BYTES) for size in sizes)
    record("light installation: bytes of all files", sum(sizes) / MB, at_most=70, unit="MB")
    record("light installation: on disk", blocks * BLOCK_BYTES / 2**20, at_most=70, unit="MiB")


def test_modules_of_a_server(record: Record) -> None:
    found = loaded("import sys; import qwicket.cli.serve, qwicket.server.run") - OF_TESTS
    record("modules of a server that listens", len(found), at_most=568, unit="")


@pytest.mark.parametrize(
    ("arguments", "most"),
    [
        (("env", "qiskit-ionq"), 130),
        (("jobs", "--help"), 150),
        (("--help",), 280),
        (("user", "list", "--data-dir", "."), 410),
        (("jobs", "--url", "http://127.0.0.1:9"), 295),
    ],
)
def test_modules_of_a_command(
    arguments: tuple[str, ...], most: int, tmp_path: Path, record: Record
) -> None:
    found = loaded_by_command(tmp_path, *arguments) - OF_TESTS
    record(f"modules of qwicket {' '.join(arguments)}", len(found), at_most=most, unit="")


def test_the_import_of_a_client(record: Record) -> None:
    code = (
        "import time; began = time.process_time(); import qwicket.clients.ionq;"
        "print(time.process_time() - began)"
    )
    took = [
        float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)
        for _ in range(5)
    ]
    record("CPU to import qwicket.clients.ionq", 1000 * min(took), at_most=150, unit="ms")


def test_the_memory_of_the_pages(tmp_path: Path, record: Record) -> None:
    live = LiveServer(tmp_path, "--workers", "0")
    token = live.token()
    live.as_admin(lambda admin: admin.add_account("zoe", "admin", email=None, password=PASSWORD))
    with Browser(live.url) as opened:
        for path in ("account", "devices", "jobs"):
            for _ in range(20):
                opened.get(f"/v1/{path}", headers={"Authorization": f"Bearer {token}"})
        form = {"email": "zoe", "password": PASSWORD}  # a hash needs 64 MB for a moment
        assert opened.post("/ibm/api/users/login", json=form).is_success
        # The API of administrators, which the pages call, is not theirs.
        root = live.admin("token", "create", "--user", "zoe", "--scope", "admin")
        listed = opened.get("/v1/admin/accounts", headers={"Authorization": f"Bearer {root}"})
        assert listed.is_success
        before = resident_bytes(live.process.pid)
        assert opened.sign_in("zoe", PASSWORD).status_code == 303
        paths = ["", "/jobs", "/devices", "/devices/qwicket_heavyhex27", "/projects", "/connect"]
        paths += [f"/admin{section}" for section in ("", *(f"/{each}" for each in PAGES))]
        paths += ["/admin/people/zoe", "/admin/projects/zoe", "/admin/devices/simulator"]
        paths += ["/admin/export?project=zoe", "/admin/usage.csv", "/projects/zoe/use.csv"]
        paths += ["/projects/zoe/webhooks", f"/jobs/new?{urlencode({'program': 5_000 * '&'})}"]
        for path in (*paths, "/jobs/new", "/projects/zoe"):
            assert opened.get(f"/ui{path}").status_code in {200, 307}
        more = settled_bytes(live.process.pid) - before
    record("memory of the pages", more / MB, at_most=5, unit="MB")
    assert live.stop() == 0


def test_the_pages_of_administrators(tmp_path: Path, record: Record) -> None:
    with running_server(tmp_path, "--workers", "0") as idle, Person(idle, "root", "admin") as root:
        for section in ("", "/export?project=root", *(f"/{each}" for each in PAGES)):
            text = root.browser.get(f"/ui/admin{section}").text
            files = re.findall(r'(?:src|href)="(/ui/(?:scripts/[^"]*|style.css))"', text)
            size = len(text.encode())
            for each in files:
                with root.browser.stream("GET", each) as response:
                    size += sum(map(len, response.iter_raw()))
            record("largest page of administrators", size / 1000, at_most=60, unit="kB")
