"""A file that no process may open: the kernel counts each time (inotify, on Linux only)."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Final
from urllib.parse import quote

_IN_OPEN: Final = 0x20
_EVENT_BYTES: Final = 16
"""Size of `struct inotify_event` without a name, which events of a watched file lack."""
_libc = ctypes.CDLL(None, use_errno=True)


class Canary:
    """A file with a secret, and the texts that lead to it if a server makes a path of them."""

    SECRET: Final = "the secret of the canary"

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.path = (folder / "canary.txt").resolve()
        self.path.write_text(self.SECRET)
        self._events = _libc.inotify_init1(os.O_NONBLOCK)
        watch = _libc.inotify_add_watch(self._events, bytes(self.path), _IN_OPEN)
        assert self._events >= 0, os.strerror(ctypes.get_errno())
        assert watch >= 0, os.strerror(ctypes.get_errno())

    def close(self) -> None:
        os.close(self._events)
        self.path.unlink()
        self.path.parent.rmdir()

    def n_opened(self) -> int:
        """Return how often the file was opened since this was asked last."""
        try:
            return len(os.read(self._events, 4096)) // _EVENT_BYTES
        except BlockingIOError:
            return 0

    def texts(self) -> list[str]:
        """Return absolute and relative paths; from any folder, enough steps up end at the root."""
        upwards = "../" * 20 + str(self.path)[1:]
        return [
            *(str(self.path), upwards, f"file://{self.path}", f"//{self.path}"),
            *(f"{upwards}\0.toml", upwards.replace("/", "\\"), f"x/{upwards}"),
        ]

    def path_texts(self) -> list[str]:
        """Return the same for the path of a URL: bare, encoded once, and twice."""
        plain = self.texts()
        bare = [text for text in plain if text.isprintable() and "\\" not in text]
        once = [quote(text, safe="") for text in plain]
        return [*once, *(quote(text, safe="") for text in once), *bare]
