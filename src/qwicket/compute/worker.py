"""A worker process: reads one request at a time from its socket, runs it, and responds.

The owner runs this file by its path, as a script, and not through `multiprocessing.Process`, which
would import the server's `__main__` again and add a resource tracker process; nor with `-m`, which
would import the whole package and with it asyncio (8 MB and 30 ms a worker). So it imports the
standard library and msgspec only.

A message is 8 bytes of length and then a body. Requests are pickles, because only the owner sends
them. A response is one byte for its kind, and msgpack, which decodes to plain values only: a
malicious program may have taken over this process. The socket is not a
`multiprocessing.Connection`, because a timeout of a plain socket bounds a send or receive as a
whole: a worker that stops in the middle of a message cannot hold its slot for longer than the time
limit.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import math
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

import msgspec

VALUE: Final = b"v"
ERROR: Final = b"e"
NO_MEMORY: Final = b"m"
READY: Final = b"r"

NO_MEMORY_STATUS: Final = 1
"""Exit status with which qulacs ends the process when it cannot allocate; we use it as well."""

_LENGTH: Final = struct.Struct("!Q")
_JOIN_BYTES: Final = 1 << 16
"""Bodies up to this size are sent together with their length, in one call."""
MAX_MESSAGE_CHARS: Final = 2_000
MAX_TRACE_CHARS: Final = 20_000
_CHUNK_BYTES: Final = 1 << 20
_OPEN_FILES: Final = 64
"""Enough to import modules and load libraries."""
_CPU_MARGIN_S: Final = 5
_FILE_BYTES: Final = 4 << 10
"""Python's tempfile, which Qiskit imports, tries a folder by writing a word into it."""
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38
_WATCH_S: Final = 0.5


_encoder: Final = msgspec.msgpack.Encoder()


class BadMessage(Exception):
    """The other side sent a malformed message."""


def pack(function: object, arguments: tuple[object, ...], limit_s: float) -> bytes:
    """Return a request: a call, and how many seconds it may take."""
    return pickle.dumps((function, arguments, limit_s), protocol=5)


def send(channel: socket.socket, body: bytes | bytearray) -> None:
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


def receive(
    channel: socket.socket, deadline: float | None = None, max_bytes: int | None = None
) -> bytearray:
    """Return the next message.

    Args:
        channel: The socket.
        deadline: On the monotonic clock, for the message as a whole; None waits for ever.
        max_bytes: Size of the largest message to take; None is any.

    Raises:
        TimeoutError: The deadline passed before a message began.
        BadMessage: The sender stopped in the middle of a message, or the message is too large.
        EOFError: The other side closed the channel.
        ConnectionError: The other side died with something left unread.
    """
    (size,) = _LENGTH.unpack(_receive_exactly(channel, _LENGTH.size, deadline))
    if max_bytes is not None and size > max_bytes:
        raise BadMessage(f"a message of {size} bytes was announced")
    return _receive_exactly(channel, size, deadline, has_begun=True)


def _receive_exactly(
    channel: socket.socket, size: int, deadline: float | None, *, has_begun: bool = False
) -> bytearray:
    """Return so many bytes; memory is taken as they come, not as they are announced."""
    buffer = bytearray()
    filled = 0
    while filled < size:
        if filled == len(buffer):
            buffer += bytes(min(_CHUNK_BYTES, size - filled))
        try:
            if deadline is not None:
                set_deadline(channel, deadline)
            with memoryview(buffer) as view, view[filled:] as rest:
                n_received = channel.recv_into(rest)
        except TimeoutError:
            if has_begun or filled:
                raise BadMessage("it stopped in the middle of a message") from None
            raise
        if not n_received:
            raise EOFError
        filled += n_received
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
    descriptor, owner, memory_bytes, niceness, warm_up = arguments
    _die_with(int(owner))
    _set_signals()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(int(niceness))
    channel = socket.socket(fileno=int(descriptor))
    channel.set_inheritable(False)
    # A child that outlives this process would hide its end from the owner.
    os.register_at_fork(after_in_child=channel.close)
    if warm_up:
        _resolve(warm_up)()
    _drop_privileges()
    if int(memory_bytes):
        _limit_memory(int(memory_bytes))
    _serve(channel)


def _drop_privileges() -> None:
    """Give up what no engine and no parser needs: privileges, large files, many descriptors.

    The number of processes is not limited: the kernel counts those of the user, the server's among
    them, and not at all for root.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, *map(ctypes.c_ulong, (1, 0, 0, 0)))
    # Python keeps a file of bytecode that the limit cut short, and can then import it no more.
    sys.dont_write_bytecode = True
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES, _FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))


def _serve(channel: socket.socket) -> NoReturn:
    try:
        send(channel, READY)
        while True:
            send(channel, _response(receive(channel)))
    except (EOFError, ConnectionError):
        os._exit(0)
    except MemoryError:
        # A request that did not fit was read in part: the channel is of no more use.
        os._exit(NO_MEMORY_STATUS)


def _response(request: bytearray) -> bytes | bytearray:
    try:
        function, arguments, limit_s = pickle.loads(request)  # noqa: S301 - from our owner only
        _limit_cpu(limit_s)
        response = bytearray(VALUE)
        # Not `encode`, which ends the process when there is no memory for the response.
        _encoder.encode_into(_resolve(function)(*arguments), response, len(VALUE))
        return response
    except MemoryError:
        return NO_MEMORY
    except BaseException as error:  # sys.exit() in a task, and panics of Rust extensions
        return ERROR + msgspec.msgpack.encode(_describe(error))


def _limit_cpu(limit_s: float) -> None:
    """Bound the CPU time of one call beyond its time limit, which the owner enforces by the clock.

    It ends a process that computes on several threads, and one whose owner no longer watches it.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = math.ceil(used.ru_utime + used.ru_stime + limit_s) + _CPU_MARGIN_S
    if hard == resource.RLIM_INFINITY or soft <= hard:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _describe(error: BaseException) -> tuple[str, str, str]:
    try:
        message = str(error)
    except Exception:
        message = ""
    trace = "".join(traceback.format_exception(error))
    texts = type(error).__name__, message[:MAX_MESSAGE_CHARS], trace[-MAX_TRACE_CHARS:]
    name, said, where = (text.encode("utf-8", "replace").decode() for text in texts)
    return name, said, where


def _resolve(function: str | Callable[..., object]) -> Callable[..., object]:
    return _load(function) if isinstance(function, str) else function


@functools.cache
def _load(reference: str) -> Callable[..., object]:
    module, _, name = reference.partition(":")
    loaded: Callable[..., object] = getattr(importlib.import_module(module), name)
    return loaded


def _set_signals() -> None:
    """Discard signals for the owner's group, and let SIGTERM end the process.

    The owner may have ignored or blocked signals, and exec keeps both. The interpreter's own
    SIGTERM would wait for C code to return; the default action ends it at once.
    """
    for number, action in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGTERM, signal.SIG_DFL),
    ):
        signal.signal(number, signal.SIG_IGN)  # discards one that is pending
        signal.signal(number, action)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _limit_memory(memory_bytes: int) -> None:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return  # not Linux: only the estimate at submission limits memory
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
    if os.getppid() != owner:  # the owner died before the guard was set
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
