"""Standard error of workers, as lines of the server's log.

Native libraries write there without a time or an id, and programs can make them do so. Therefore
lines are logged with their process id, escaped, cut to `_LINE_CHARS`, and limited in number.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Final

_LINE_CHARS: Final = 300
_CHUNK_BYTES: Final = 1 << 16
_LINES: Final = 50
"""Lines logged per period: enough for a traceback of a worker that cannot start."""
_PERIOD_S: Final = 60.0
_PAUSE_S: Final = 0.05

_log = logging.getLogger(__name__)


class ErrorLog:
    """Logs the lines of a fork server and of all its workers, `_LINES` in `_PERIOD_S` at most."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends_at = 0.0
        self._n_lines = 0

    def follow(self, pipe: int, pid: int) -> threading.Thread:
        """Start a thread that logs what process `pid` writes to `pipe`, and then closes `pipe`."""
        name = f"stderr-{pid}"
        thread = threading.Thread(target=self._follow, args=(pipe, pid), name=name, daemon=True)
        thread.start()
        return thread

    def _follow(self, pipe: int, pid: int) -> None:
        line = b""
        try:
            while chunk := os.read(pipe, _CHUNK_BYTES):
                *whole, rest = (line + chunk).split(b"\n")
                for each in whole:
                    self._write(each, pid)
                line = rest[: _LINE_CHARS + 1]
                if self._is_full():
                    time.sleep(_PAUSE_S)  # the pipe fills, so a worker that floods it has to wait
            self._write(line, pid)
        finally:
            os.close(pipe)

    def _write(self, line: bytes, pid: int) -> None:
        text = line[: _LINE_CHARS + 1].decode("utf-8", "replace").strip()
        if not text or self._is_full():
            return
        with self._lock:
            self._n_lines += 1
            is_last = self._n_lines == _LINES
        escaped = text.encode("unicode_escape").decode()
        cut = escaped if len(escaped) <= _LINE_CHARS else f"{escaped[:_LINE_CHARS]}…"
        _log.warning("worker %d wrote to standard error: %s", pid, cut)
        if is_last:
            _log.warning("more from workers' standard error is dropped for %g s", _PERIOD_S)

    def _is_full(self) -> bool:
        with self._lock:
            now = time.monotonic()
            if now >= self._ends_at:
                self._ends_at, self._n_lines = now + _PERIOD_S, 0
            return self._n_lines >= _LINES
