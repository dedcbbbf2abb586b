"""The code blocks of the documentation, run in order: one shell for each page.

The language of a block decides how it runs. A comment right before it may change this:

    <!-- file: NAME -->    write it to that file, for the blocks after it
    <!-- with: SUITE -->   run it as Python in the environment of a vendor's suite
    <!-- elsewhere -->     do not run it: it needs another machine or other rights
    <!-- drawing -->, <!-- tree of: MODULE -->, <!-- output of: COMMAND -->
                           it is text, and not the output of the block before it

A comment that begins with `given` is not shown: its lines run before those of the next block.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from support.waiting import until

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "deploy/**/*.md", "docs/**/*.md")
    for path in ROOT.glob(pattern)
    if not path.relative_to(ROOT).parts[0].startswith(".")
)

_FENCE = re.compile(
    r"(?:^<!--\s*(?P<note>[^>\n]*?)\s*-->\n)?^(?P<marks>```+)(?P<language>\S*)\n(?P<text>.*?)^(?P=marks)$"
    r"|^<!--\s*given\n(?P<given>.*?)-->$",
    re.MULTILINE | re.DOTALL,
)
_END = "\x1e\x1e"


class Block(NamedTuple):
    """One fenced block, or the hidden lines that run before the next one."""

    page: str
    line: int
    language: str
    note: str
    text: str

    def __repr__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def runs(self) -> bool:
        return self.language in ("sh", "python", "http") and self.note != "elsewhere"


def blocks(page: str) -> list[Block]:
    """Return the blocks of a page, in their order."""
    text = (ROOT / page).read_text("utf-8")
    found = []
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        if match["given"] is not None:
            found.append(Block(page, line, "given", "", match["given"]))
        else:
            note = match["note"] or ""
            found.append(Block(page, line, match["language"], note, match["text"]))
    return found


def indented(page: str) -> list[str]:
    """Return the lines of a page that Markdown takes for code without a fence."""
    text = _FENCE.sub("", (ROOT / page).read_text("utf-8"))
    return re.findall(r"(?:\A|\n)[^\S\n]*\n(    [^\n]+)", text)


class Shell:
    """One bash for a page: variables, processes and files of a block stay for the next one."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self._log = folder / "shell.log"
        self._folder = folder / "work"
        self._folder.mkdir()
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        clean = {k: v for k, v in os.environ.items() if not k.startswith("QWICKET_")}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["bash", "--norc"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env={**clean, **env, "PATH": path, "HOME": str(folder), "COLUMNS": "100"},
                start_new_session=True,
            )
        self._number = 0
        self._python: dict[str, str] = {}
        self.run("set -euo pipefail")

    def write(self, name: str, text: str) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(self, text: str) -> str:
        """Run lines of shell; return what they print, errors too."""
        self._number += 1
        script = self._folder.parent / f"block{self._number}.sh"
        script.write_text(text if text.endswith("\n") else text + "\n")
        mark = self._log.stat().st_size
        end = f"{_END}{self._number}"
        assert self._process.stdin is not None
        self._process.stdin.write(f"source {script}\nprintf '%s' '{end}'\n".encode())
        self._process.stdin.flush()

        def printed() -> bytes | None:
            printed_bytes = self._log.read_bytes()[mark:]
            if end.encode() in printed_bytes:
                return printed_bytes
            assert self._process.poll() is None, f"{text}\n\n{printed_bytes.decode()}"
            return None

        return until(printed, f"this ends: {text}", timeout_s=150).decode().partition(end)[0]

    def python(self, run: list[tuple[str, str]], interpreter: str) -> list[str]:
        """Run Python after all earlier blocks of the page; return what each block prints.

        Args:
            run: Blocks, each with the lines that run before it and whose output does not count.
            interpreter: "python", which is ours, or the path of another.
        """
        before = self._python.get(interpreter, "")
        mark = f"print({_END!r}, flush=True)\n"
        script = self._folder.parent / f"block{self._number}.py"
        script.write_text(before + "".join(f"{given}\n{mark}{text}\n{mark}" for given, text in run))
        self._python[interpreter] = before + "".join(f"{given}\n{text}\n" for given, text in run)
        path = "" if interpreter == "python" else f"PYTHONPATH={ROOT / 'src'} "
        return self.run(f"{path}{interpreter} -W ignore {script}").split(_END)[1::2]

    def close(self) -> None:
        """End what blocks left running, and the shell."""
        assert self._process.stdin is not None
        if self._process.poll() is None:
            self._process.stdin.write(b"set +e; trap - EXIT; kill $(jobs -p); wait; exit\n")
        self._process.stdin.close()
        try:
            self._process.wait(75)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"does not end:\n{self._log.read_text()[-8000:]}") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


_IDS = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_SECRETS = re.compile(r"\bqw_[\w-]+")


def alike(text: str) -> list[str]:
    """Return the lines of an output without ids, times and numbers, which differ in each run."""
    text = _SECRETS.sub("TOKEN", _IDS.sub("ID", text))
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?", "TIME", text)
    text = re.sub(r"[█▉▊▋▌▍▎▏━╸╺]+", "█", re.sub(r"\d+(\.\d+)?", "0", text))
    return [" ".join(line.split()) for line in text.strip().splitlines()]
