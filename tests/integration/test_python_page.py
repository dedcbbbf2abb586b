"""What docs/clients/python.md shows is run: its Python blocks in their order, as one script."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from contract.environments import ROOT, interpreter
from support.server import LiveServer

PAGE = (ROOT / "docs" / "clients" / "python.md").read_text("utf-8")
_BLOCK = re.compile(
    r"(?:<!-- with: (?P<suite>\S+) -->\n)?```python\n(?P<text>.*?)```"
    r"(?:\n\n```text\n(?P<said>.*?)```)?",
    re.DOTALL,
)
BLOCKS = [(match["suite"], match["text"], match["said"]) for match in _BLOCK.finditer(PAGE)]
MARK = "--- next block ---"


def run(python: str, text: str, server: LiveServer, folder: Path) -> list[str]:
    """Return what each block printed."""
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("QWICKET_")},
        "QWICKET_URL": server.url,
        "QWICKET_TOKEN": server.token(),
        "HOME": str(folder),
    }
    if python != sys.executable:
        env["PYTHONPATH"] = str(ROOT / "src")
    done = subprocess.run(
        [python, "-W", "error", "-"],
        input=text,
        env=env,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(f"{MARK}\n")


def test_every_block_prints_what_the_page_says(server: LiveServer, tmp_path: Path) -> None:
    blocks = [(text, said) for suite, text, said in BLOCKS if suite is None]
    assert len(blocks) >= 8
    printed = run(sys.executable, f"print('{MARK}')\n".join(t for t, _ in blocks), server, tmp_path)
    for (text, said), found in zip(blocks, printed, strict=True):
        assert found.strip(), f"nothing was printed by:\n{text}"
        assert said is None or found == said
    assert "completed" in printed[-3]
    assert re.search(r"00 .*█", printed[2])


@pytest.mark.vendor
def test_the_block_for_qiskit_runs_with_qiskit(server: LiveServer, tmp_path: Path) -> None:
    ((suite, text, _),) = [block for block in BLOCKS if block[0]]
    (printed,) = run(str(interpreter(suite)), text, server, tmp_path)
    assert len(re.findall(r"'000': \d+", printed)) == 2
