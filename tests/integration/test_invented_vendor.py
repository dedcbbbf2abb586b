"""The page on writing a dialect: a vendor is one folder and one line."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import httpx

import qwicket
from support.server import IDLE, LiveServer

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "howto" / "dialect.md").read_text()


def block(file: str) -> str:
    """Return what the page says that a file has."""
    (found,) = re.findall(rf"<!-- file: {re.escape(file)} -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def test_a_vendor_is_one_folder_and_one_line(tmp_path: Path) -> None:
    package = tmp_path / "src" / "qwicket"
    shutil.copytree(
        Path(qwicket.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    folder = package / "vendors" / "tally"
    folder.mkdir()
    for file in ("__init__.py", "dialect.py"):
        (folder / file).write_text(block(file))
    names = package / "vendors" / "__init__.py"
    text = names.read_text()
    assert text.count("NAMES: Final[tuple[str, ...]] = (\n") == 1
    names.write_text(
        text.replace(
            "NAMES: Final[tuple[str, ...]] = (\n",
            f"NAMES: Final[tuple[str, ...]] = (\n{block('line.txt')}",
        )
    )

    path = os.pathsep.join([str(package.parent), os.environ.get("PYTHONPATH", "")])
    live = LiveServer(tmp_path / "server", *IDLE, PYTHONPATH=path)
    with httpx.Client(
        base_url=live.url, headers={"Authorization": f"Bearer {live.token()}"}
    ) as http:
        assert http.get("/tally/count").json() == {"mine": 1}
        assert http.get("/tally/nothing").json() == {"oops": "not_found"}
        assert "Tally" in http.get("/docs/tally").text
        shown = http.get("/v1/devices/simulator").json()
    assert live.stop() == 0
    assert "openqasm3" in shown["formats"]
