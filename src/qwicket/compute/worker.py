"""A worker process: reads one request at a time from its socket, runs it, answers.

The owner runs this file by its path, as a script, and not through `multiprocessing.Process`, which
would import the server's `__main__` again and add a resource tracker process; nor with `-m`, which
would import the whole room and with it asyncio (8 MB and 30 ms a worker). So it imports the
standard library only.

A message is 8 bytes of length and then a pickle. Plain sockets, not `multiprocessing.Connection`,
because their timeouts bound a send or receive as a whole: a worker that stops in the middle of a
message cannot hold its slot for longer than the time limit.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import os
import pickle
import resource
import select
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn

VALUE: Final = "value"
ERROR: Final = "error"
NO_MEMORY: Final = "no memory"
READY: Final = b"ready"

NO_MEMORY_STATUS: Final = 1
"""How qulacs ends the process when it cannot allocate, without an exception; we do the same."""

_LENGTH: Final = struct.Struct("!Q")
_JOIN_BYTES: Final = 1 << 16
_MAX_MESSAGE_CHARS: Final = 2_000
_MAX_TRACE_CHARS: Final = 20_000
_PR_SET_PDEATHSIG: Final = 1
_WATCH_S: Final = 0.5


def pack(value: object) -> bytes:
    return pickle.dumps(value, protocol=5)


def send(channel: socket.socket, body: bytes) -> None:
    """Send one message.

    Raises:
        TimeoutError: The channel's timeout passed before all was sent.
        ConnectionError: The other side is gone.
    """
    length = _LENGTH.pack(len(body))
    if len(body) <= _JOIN_BYTES:
        channel.sendall(length + body)
    else:
        channel.sendall(length)
        channel.sendall(body)


def receive(channel: socket.socket, deadline: float | None = None) -> bytearray:
    """Return the next message.

    Args:
        channel: The socket.
        deadline: On the monotonic clock, for the message as a whole; None waits for ever.

    Raises:
        TimeoutError: The deadline passed.
        EOFError: The other side closed the channel.
        ConnectionError: The other side died with something left unread.
    """
    (size,) = _LENGTH.unpack(_receive_exactly(channel, _LENGTH.size, deadline))
    return _receive_exactly(channel, size, deadline)


def _receive_exactly(channel: socket.socket, size: int, deadline: float | None) -> bytearray:
    buffer = bytearray(size)
    rest = memoryview(buffer)
    while rest:
        if deadline is not None:
            set_deadline(channel, deadline)
        n_received = channel.recv_into(rest)
        if not n_received:
            raise EOFError
        rest = rest[n_received:]
    return buffer


def set_deadline(channel: socket.socket, deadline: float) -> None:
    """Let the next operation on the channel wait until `deadline` (monotonic) and no longer."""
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    channel.settimeout(left_s)


def main(arguments: list[str]) -> NoReturn:
    """Serve until the owner closes the channel or dies.

    Args:
        arguments: File descriptor of the channel, process id of the owner, memory in bytes that
            work may add to what the warm worker uses (0: no limit), how much to lower its
            priority, "module:function" to call before the first request ("": none).
    """
    descriptor, owner, memory_bytes, niceness, warm = arguments
    _die_with(int(owner))
    _set_signals()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(int(niceness))
    channel = socket.socket(fileno=int(descriptor))
    channel.set_inheritable(False)
    if warm:
        _resolve(warm)()
    if int(memory_bytes):
        _limit_memory(int(memory_bytes))
    _serve(channel)


def _serve(channel: socket.socket) -> NoReturn:
    try:
        send(channel, READY)
        while True:
            send(channel, _answer(receive(channel)))
    except (EOFError, ConnectionError):
        os._exit(0)
    except MemoryError:
        # A request that did not fit was read in part: the channel is of no more use.
        os._exit(NO_MEMORY_STATUS)


def _answer(request: bytearray) -> bytes:
    try:
        function, arguments = pickle.loads(request)  # noqa: S301 - from our owner only
        return pack((VALUE, _resolve(function)(*arguments)))
    except MemoryError:
        return pack((NO_MEMORY, None))
    except BaseException as error:  # sys.exit() in a task, and panics of Rust extensions
        return pack((ERROR, _describe(error)))


def _describe(error: BaseException) -> tuple[str, str, str]:
    try:
        message = str(error)
    except Exception:
        message = ""
    trace = "".join(traceback.format_exception(error))
    return type(error).__name__, message[:_MAX_MESSAGE_CHARS], trace[-_MAX_TRACE_CHARS:]


def _resolve(function: str | Callable[..., object]) -> Callable[..., object]:
    return _load(function) if isinstance(function, str) else function


@functools.cache
def _load(reference: str) -> Callable[..., object]:
    module, _, name = reference.partition(":")
    loaded: Callable[..., object] = getattr(importlib.import_module(module), name)
    return loaded


def _set_signals() -> None:
    # The owner may have ignored or blocked signals, and exec keeps both. The interpreter's own
    # SIGTERM would wait for C code to return; the default action ends it at once.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _limit_memory(memory_bytes: int) -> None:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return  # not Linux: admission is the only fence
    limit = pages * resource.getpagesize() + memory_bytes
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _die_with(owner: int) -> None:
    """Arrange that this process ends when its owner does, however that ends.

    Two guards: the kernel's also ends C code that never lets go of the interpreter lock, but it
    fires when the *thread* that started us ends and a library may reset it; the watch has neither
    fault, but needs the lock.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
    if os.getppid() != owner:  # it died before the guard stood
        os._exit(0)
    threading.Thread(target=_watch, args=(owner,), daemon=True).start()


def _watch(owner: int) -> NoReturn:
    try:
        poll = select.poll()
        poll.register(os.pidfd_open(owner), select.POLLIN)
    except (AttributeError, OSError):  # not Linux, or forbidden by a sandbox
        while os.getppid() == owner:
            time.sleep(_WATCH_S)
    else:
        if os.getppid() == owner:  # else the number may be another process's by now
            poll.poll()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
