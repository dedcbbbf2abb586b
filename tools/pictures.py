"""Pictures of the pages for the documentation: `make pictures` takes them in Debian's Chromium.

A file beside them has the hash of the templates, the style sheet and the plots. `--check` compares
it, before a release.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

import qwicket
from support.browser import Page, browser
from support.programs import BELL
from support.server import LiveServer

ROOT: Final = Path(__file__).parents[1]
FOLDER: Final = ROOT / "docs" / "pictures"
HASH: Final = FOLDER / "sources.sha256"
PASSWORD: Final = "correct horse"
QUBITS: Final = 'OPENQASM 3.0; include "stdgates.inc"; qubit[3] q; bit[3] c;'
GHZ: Final = f"{QUBITS} h q[0]; cx q[0], q[1]; cx q[1], q[2]; c = measure q;"
ROTATED: Final = f"{QUBITS} h q; rz(0.3) q[1]; cx q[0], q[1]; ry(0.7) q[2]; c = measure q;"


class Picture(NamedTuple):
    """A picture: its name, the path of the page, size in pixels, and the theme."""

    name: str
    path: str
    width: int
    height: int
    scheme: str = "light"


def sources_hash() -> str:
    """Return the hash of everything that decides how pages look."""
    pages = ROOT / "src" / "qwicket" / "pages"
    files = [*pages.glob("templates/*"), pages / "style.css", pages / "plots.py"]
    found = hashlib.sha256()
    for file in sorted(files):
        found.update(f"{file.name}\n".encode() + file.read_bytes())
    return found.hexdigest()


def main() -> None:
    """Take all pictures, or see whether they are of the present pages."""
    if sys.argv[1:] == ["--check"]:
        if HASH.read_text().strip() != sources_hash():
            sys.exit("The pages look different from their pictures: run `make pictures`.")
        return
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="qwicket-pictures-") as text:
        folder = Path(text)
        server = LiveServer(folder / "server")
        try:
            shown = _jobs(server)
            with browser(folder) as page:
                _sign_in(page, server.url)
                for each in (
                    Picture("jobs", "/ui/jobs", 960, 620),
                    Picture("job", f"/ui/jobs/{shown}", 960, 1010),
                    Picture("job-phone", f"/ui/jobs/{shown}", 390, 840, "dark"),
                    Picture("device", "/ui/devices/qwicket_heavyhex27?shade=t1", 960, 1060),
                ):
                    address = server.url + each.path
                    page.open(address, width=each.width, height=each.height, scheme=each.scheme)
                    page.picture(FOLDER / f"{each.name}.png")
        finally:
            server.stop()
    HASH.write_text(f"{sources_hash()}\n")
    sys.stdout.write(f"{FOLDER.relative_to(ROOT)} is current.\n")


def _jobs(server: LiveServer) -> str:
    """Submit some jobs of ada; return the id of the one that has a picture of its own."""
    server.admin("user", "add", "ada", "--password-stdin", stdin=PASSWORD)
    server.admin("project", "add", "qec")
    token = server.admin("token", "create", "--user", "ada")
    with qwicket.connect(server.url, token) as client:
        jobs = [client.submit(BELL, "simulator", shots=1000, name="bell", tags=["lesson 3"])]
        for angle, device in enumerate(("simulator", "qpu.aria-1", "qpu.forte-1")):
            jobs.append(
                client.submit(ROTATED, device, shots=500, name=f"scan {angle}", tags=["scan"])
            )
        server.admin("reservation", "add", "clifford", "--project", "qec", "--to", "1h")
        client.submit(GHZ, "clifford", shots=1000, name="GHZ of tomorrow", tags=["ghz"])
        client.submit(GHZ, "clifford", shots=9, name="a mistake").cancel()
        ghz = client.submit(GHZ, "qpu.aria-1", shots=1000, name="GHZ on the twin", tags=["ghz"])
        for job in (*jobs, ghz):
            job.wait(timeout=60)
    return ghz.id


def _sign_in(page: Page, url: str) -> None:
    page.open(f"{url}/ui/sign-in", width=960)
    page.run(
        "document.querySelector('[name=name]').value = 'ada';"
        f"document.querySelector('[name=password]').value = '{PASSWORD}'"
    )
    page.wait_for_load(lambda: page.run("document.querySelector('form').submit()"))


if __name__ == "__main__":
    main()
