"""Live scalers: `qwicket worker scale` in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.pilots import compute_token
from support.server import LiveServer


class LiveScaler:
    """`qwicket worker scale` in a process of its own."""

    def __init__(self, server: LiveServer, folder: Path, *options: str, **env: str) -> None:
        self.token_file = folder / "worker.token"
        self.token_file.touch(0o600)
        self.token_file.write_text(compute_token(server))
        self._log = folder / f"scaler{len(list(folder.glob('scaler*.log')))}.log"
        command = [sys.executable, "-m", "qwicket", "worker", "scale", "--connect", server.url]
        command += ["--token-file", str(self.token_file), *options]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, stdout=log, stderr=log, env={**os.environ, **env}
            )

    def log_text(self) -> str:
        return self._log.read_text()


@contextmanager
def scaler(server: LiveServer, folder: Path, *options: str, **env: str) -> Iterator[LiveScaler]:
    live = LiveScaler(server, folder, *options, **env)
    try:
        yield live
        live.process.terminate()
        assert live.process.wait(20) == 0, live.log_text()
    finally:
        live.process.kill()
        live.process.wait()
