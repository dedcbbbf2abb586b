"""What the README shows is run: each block after `<!-- run -->`, in its order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.server import LiveServer

README = Path(__file__).parents[2] / "README.md"
BLOCKS = re.findall(r"<!-- run -->\n```(\w+)\n(.*?)```", README.read_text(), re.DOTALL)


def run(command: list[str], text: str, env: dict[str, str], folder: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        input=text,
        env={**os.environ, **env, "PATH": path},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_readme_has_blocks_to_run() -> None:
    assert [language for language, _ in BLOCKS] == ["sh", "sh", "python", "sh"]


@pytest.mark.parametrize(("language", "text"), BLOCKS[1:], ids=["curl", "python", "shell"])
def test_a_block_of_the_readme_works(
    language: str, text: str, server: LiveServer, tmp_path: Path
) -> None:
    env = {"QWICKET_URL": server.url, "QWICKET_TOKEN": server.token()}
    command = ["bash", "-eu"] if language == "sh" else [sys.executable, "-"]
    printed = run(command, text, env, tmp_path)
    assert re.search(r'"00"|\'00\'|█', printed), printed


def test_a_server_starts_as_the_readme_says(tmp_path: Path) -> None:
    text = BLOCKS[0][1] + (
        "for _ in $(seq 100); do\n"
        "  curl -sf http://127.0.0.1:$QWICKET_PORT/readyz && break || sleep 0.1\n"
        "done\n"
        'curl -sf -H "Authorization: Bearer $QWICKET_TOKEN"'
        " http://127.0.0.1:$QWICKET_PORT/v1/devices\n"
        "kill %1; wait %1\n"
    )
    env = {"QWICKET_DATA_DIR": str(tmp_path / "data"), "QWICKET_PORT": str(free_port())}
    printed = run(["bash", "-u"], text, env, tmp_path)
    assert '"name":"simulator"' in printed


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
