"""Supervisor of the process that runs the lab's function."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Final

from qwicket.agents import function_process

if TYPE_CHECKING:
    from qwicket.agents.program import Program

_END_S: Final = 5.0
"""Seconds before the process is killed: one more than it gives to the lab's function."""
_FIELDS: Final = (
    "job",
    "device",
    "family",
    "format",
    "source",
    "shots",
    "seed",
    "outputs",
    "inputs",
    "packed",
    "attempts",
)
"""Fields of a program that are sent; the process decodes its circuits from `packed`."""

_log = logging.getLogger(__name__)


class ProcessDied(Exception):
    """The process has ended or closed its channel; the text says how."""


class CannotStart(Exception):
    """The lab's function cannot be loaded; the text gives the reason."""


class Supervisor:
    """Starts the process, and restarts it after its death.

    Args:
        reference: The lab's function, "module:function".
    """

    def __init__(self, reference: str) -> None:
        self._reference = reference
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Connection | None = None

    def start(self) -> None:
        """Start the process unless it is alive; return when the lab's module is loaded.

        Raises:
            CannotStart: The module cannot be loaded.
        """
        if self._process is not None and self._process.poll() is None:
            return
        self.kill()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - this package, and the lab's function
                [
                    sys.executable,
                    "-m",
                    "qwicket.agents",
                    str(theirs.fileno()),
                    str(os.getpid()),
                    self._reference,
                ],
                pass_fds=[theirs.fileno()],
            )
        self._channel = Connection(ours.detach())
        try:
            kind, *rest = self._channel.recv()
        except (EOFError, OSError):
            kind, rest = function_process.FAILED, [f"its process ended ({self._status()})"]
        if kind != function_process.READY:
            self.kill()
            text = f"{self._reference} cannot be loaded: {rest[0]}"
            raise CannotStart(text if text.endswith("?") else f"{text}.")

    def begin(self, program: Program) -> None:
        """Start a program.

        Raises:
            ProcessDied: The process has ended; the program never began.
        """
        self._send((function_process.RUN, {name: getattr(program, name) for name in _FIELDS}))

    def ask_to_stop(self) -> None:
        """Ask the lab's function to stop."""
        self._send((function_process.STOP,))

    def receive(self, timeout_s: float) -> tuple[Any, ...] | None:
        """Return the next message of the process, or None after the timeout.

        Raises:
            ProcessDied: The process has ended.
        """
        assert self._channel is not None
        try:
            if not self._channel.poll(max(0.0, timeout_s)):
                return None
            message: tuple[Any, ...] = self._channel.recv()
        except (EOFError, OSError):
            raise ProcessDied(self._status()) from None
        return message

    def kill(self) -> None:
        """Kill the process."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def end(self) -> None:
        """Close the channel and wait a while for the process to end, so that it can clean up."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        deadline = time.monotonic() + _END_S
        while self._process is not None and time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            time.sleep(0.01)
        self.kill()

    def _send(self, message: tuple[Any, ...]) -> None:
        assert self._channel is not None
        try:
            self._channel.send(message)
        except OSError:
            raise ProcessDied(self._status()) from None

    def _status(self) -> str:
        assert self._process is not None
        try:
            status = self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            return "it closed its channel"
        return f"signal {-status}" if status < 0 else f"exit status {status}"
