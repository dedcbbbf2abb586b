"""A server offers its own package: pip installs it, and it is what was installed."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from html import unescape
from pathlib import Path

import httpx
import pytest

from qwicket import __version__
from support import leftovers
from support.pages import Person
from support.server import IDLE, LiveServer, run_here, running_server

INFO = f"qwicket-{__version__}.dist-info"
NAME = f"qwicket-{__version__}-py3-none-any.whl"


def pip(folder: Path, *options: str) -> Path:
    """Install what a server offers into a new environment; return where its packages are."""
    venv.create(folder, with_pip=False)
    command = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install"]
    command += ["--isolated", "--disable-pip-version-check", "--no-cache-dir", "--no-deps"]
    done = subprocess.run(
        [*command, "--no-compile", *options, "qwicket"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("lib/python*/site-packages"))


@pytest.fixture(scope="module")
def wheel(shared_server: LiveServer) -> bytes:
    return httpx.get(f"{shared_server.url}/dist/{NAME}").raise_for_status().content


def link(server: LiveServer) -> str:
    page = httpx.get(f"{server.url}/dist/simple/qwicket/").raise_for_status().text
    found = re.search(r'href="\.\./\.\./([^"]+)"', page)
    assert found
    return found[1]


def test_the_wheel_has_the_package_and_nothing_that_installing_adds(wheel: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        files = {each.filename: archive.read(each) for each in archive.infolist()}
        assert {each.compress_type for each in archive.infolist()} == {zipfile.ZIP_STORED}
    source = Path(sys.modules["qwicket"].__file__ or "").parent
    package = {
        path.relative_to(source.parent).as_posix(): path.read_bytes()
        for path in source.rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }
    info = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    assert files.keys() - package.keys() == {f"{INFO}/{name}" for name in info}
    assert package.items() <= files.items()
    record = csv.reader(files[f"{INFO}/RECORD"].decode().splitlines())
    assert sorted(name for name, *_ in record) == sorted(files)


@pytest.mark.extended
def test_pip_installs_it_and_the_copy_offers_the_same_until_a_file_changes(
    server: LiveServer, wheel: bytes, tmp_path: Path
) -> None:
    site = pip(tmp_path / "env", "--no-index", "--find-links", f"{server.url}/dist/")
    python = site.parents[2] / "bin" / "python"
    others = sysconfig.get_paths()["purelib"]  # the dependencies; ours is there by a .pth alone
    program = "import qwicket, sys; qwicket.connect('http://127.0.0.1:9', 'x').close();"
    program += "print(qwicket.__file__)"
    env = {**leftovers.marks(), "PYTHONPATH": others}
    command = [str(python), "-c", program]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(site / "qwicket" / "__init__.py"), done.stderr
    command = [str(site.parents[2] / "bin" / "qwicket"), "--version"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert __version__ in done.stdout, done.stderr
    (site / "qwicket" / "beside.py").write_text("# in no RECORD\n")
    path = {"PYTHONPATH": str(site)}
    with running_server(tmp_path / "live", *IDLE, **path) as live:
        assert httpx.get(f"{live.url}/dist/{NAME}").content == wheel
        with (site / "qwicket" / "job_card.py").open("a") as file:
            file.write("# changed\n")
        assert httpx.get(f"{live.url}/dist/{NAME}").content == wheel  # it was made before
        assert live.stop() == 0
        live.start()
        refused = httpx.get(f"{live.url}/dist/{NAME}")
        assert refused.status_code == 503
        assert "qwicket/job_card.py is not as it was installed" in refused.json()["detail"]
        with Person(live, "ada") as ada:
            assert (
                "# Install qwicket as your administrator says."
                in ada.browser.get("/ui/connect").text
            )


@pytest.mark.extended
def test_pip_installs_it_from_an_index(server: LiveServer, tmp_path: Path) -> None:
    site = pip(tmp_path, "--index-url", f"{server.url}/dist/simple/")
    assert (site / INFO / "METADATA").is_file()


def test_pages_and_programs_have_the_command_with_the_digest(server: LiveServer) -> None:
    command = f'# pip install "qwicket @ {server.url}/dist/{link(server)}"\n'
    printed = run_here("snippet", "python", "--url", server.url).stdout
    assert command in printed
    with Person(server, "ada") as ada:
        assert command in unescape(ada.browser.get("/ui/connect").text)


def test_paths_beside_it_are_absent_and_head_has_no_body(server: LiveServer) -> None:
    head = httpx.head(f"{server.url}/dist/{NAME}")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 1_000_000
    for path in ("/dist/other.whl", "/dist/simple/numpy/", "/dist/..%2fsecret"):
        assert httpx.get(server.url + path).status_code == 404, path
    assert httpx.post(f"{server.url}/dist/").status_code == 405


def test_behind_a_trusted_proxy_the_clients_scheme_counts(tmp_path: Path) -> None:
    client = {"X-Forwarded-For": "192.0.2.1"}
    with running_server(tmp_path, *IDLE, "--trusted-proxy", "127.0.0.1/32") as live:
        url = f"{live.url}/dist/"
        encrypted = httpx.get(url, headers={**client, "X-Forwarded-Proto": "https"})
        refused = httpx.get(url, headers={**client, "X-Forwarded-Proto": "http"})
    assert encrypted.status_code == 200
    assert refused.status_code == 403
    assert "--trusted-proxy" in refused.json()["remedy"]
    assert "--dist" in refused.json()["remedy"]
