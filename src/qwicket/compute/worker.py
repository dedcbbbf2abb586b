"""A fork server, and the workers that it forks: each runs one request at a time, and responds.

The fork server imports the engines once. A worker is a copy of it, which starts in milliseconds and
shares its memory. The fork server has one thread, because locks that another thread held would stay
held in the copy; nor does it run requests, so nothing of a user ever reaches it.

The process that uses the workers, here the owner, runs this file by its path, as a script, and not
through `multiprocessing`'s own fork server, which would import the owner's `__main__` again and add
a resource tracker process; nor with `-m`, which would import the whole package and with it asyncio
(8 MB and 30 ms). So this file imports the standard library and msgspec only.

A message to a worker is 8 bytes of length and then a body. Requests are pickles, because only the
owner sends them. A response is one byte for its kind, and msgpack, which decodes to plain values
only: a malicious program may have taken over this process. The socket is not a
`multiprocessing.Connection`, because a timeout of a plain socket bounds a send or receive as a
whole: a worker that stops in the middle of a message cannot hold its slot for longer than the time
limit.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import gc
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
"""What the fork server sends when it can take orders, which are one packet each."""
ORDER: Final = struct.Struct("!iQ?")
"""Process id of an ended worker, to return its exit status; or 0, to fork one, with the memory in
bytes that its work may add (0: no limit) and whether it makes way for all other processes. Two file
descriptors come with it: of the worker's channel, and for its standard error."""
NUMBER: Final = struct.Struct("!i")
"""The reply to an order: the exit status or the process id, or -errno."""

FAULT_STATUS: Final = 70
"""Exit status of a worker that could not start, or failed outside of a call (EX_SOFTWARE)."""
NO_MEMORY_STATUS: Final = 1
"""Exit status with which qulacs ends the process when it cannot allocate; we use it as well."""

_STDERR: Final = 2

_LENGTH: Final = struct.Struct("!Q")
_JOIN_BYTES: Final = 1 << 16
"""Bodies up to this size are sent together with their length, in one call."""
MAX_MESSAGE_CHARS: Final = 2_000
MAX_TRACE_CHARS: Final = 20_000
_CHUNK_BYTES: Final = 1 << 20
_OPEN_FILES: Final = 64
"""Most file descriptors of a worker: enough to import modules and load libraries."""
_CPU_MARGIN_S: Final = 5
_FILE_BYTES: Final = 4 << 10
"""Largest file that a worker may write. Not 0, because Python's tempfile, which Qiskit imports,
tries a folder by writing a word into it."""
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38
_WATCH_S: Final = 0.5
_NICENESS: Final = 15
"""Where nice levels alone count, the owner gets 96 % of a core beside such a worker."""


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
    """Let the next operation on the channel wait until `deadline` (monotonic) and no longer.

    Raises:
        TimeoutError: The deadline has passed.
    """
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    channel.settimeout(left_s)


def main(arguments: list[str]) -> NoReturn:
    """Load what work needs; then fork workers until the owner closes the channel or dies.

    Args:
        arguments: File descriptor of the channel for orders, process id of the owner,
            "module:function" to call before the first order ("": none).
    """
    descriptor, owner, warm_up = arguments
    _die_with(int(owner))
    _ignore_signals()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    orders = socket.socket(fileno=int(descriptor))
    orders.set_inheritable(False)
    if warm_up:
        _resolve(warm_up)()
    _drop_privileges()
    gc.freeze()  # A collection in a worker would touch, and so copy, all memory that it shares.
    try:
        orders.sendall(READY)
        while True:
            orders.sendall(NUMBER.pack(_obey(orders)))
    except (EOFError, ConnectionError):
        os._exit(0)


def _obey(orders: socket.socket) -> int:
    """Carry out the next order; return a process id, an exit status, or -errno."""
    order, descriptors, _, _ = socket.recv_fds(orders, ORDER.size, 2, socket.MSG_CMSG_CLOEXEC)
    if not order:
        raise EOFError
    ended_pid, memory_bytes, is_background = ORDER.unpack(order)
    if ended_pid:
        _, status = os.waitpid(ended_pid, 0)
        return os.waitstatus_to_exitcode(status)
    parent = os.getpid()
    # SIGTERM to the new process waits until that process no longer ignores it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        pid = os.fork()
    except OSError as error:
        return -(error.errno or errno.EAGAIN)
    finally:
        if os.getpid() == parent:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            for descriptor in descriptors:
                os.close(descriptor)
    if not pid:
        orders.close()
        _be_worker(parent, descriptors[0], descriptors[1], memory_bytes, is_background)
    return pid


def _be_worker(
    parent: int, channel_fd: int, errors_fd: int, memory_bytes: int, is_background: bool
) -> NoReturn:
    try:
        os.setpgid(0, 0)  # in the owner's session: Linux compares priorities only within a session
        # The fork server ignores both. SIGTERM gets the kernel's default action, because a handler
        # in Python would wait until C code returns.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        _die_with(parent)
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
        os.dup2(errors_fd, _STDERR)
        os.close(errors_fd)
        if is_background:
            _make_way()
        channel = socket.socket(fileno=channel_fd)
        # A child that outlives this process would hold the channel open, and so hide this
        # process's end from the owner.
        os.register_at_fork(after_in_child=channel.close)
        if memory_bytes:
            _limit_memory(memory_bytes)
        _serve(channel)
    except BaseException:
        traceback.print_exc()
        os._exit(FAULT_STATUS)


def _make_way() -> None:
    """Let all other processes of the session or control group go first, above all the owner.

    A higher nice level is not enough on Linux: what wakes up beside such a process may have to wait
    for the scheduler's next tick, 4 ms, at each step of a request. Beside a process of SCHED_IDLE
    it seldom does. Threads that exist already, here the one that watches, stay as they are.
    """
    os.nice(_NICENESS)
    with contextlib.suppress(AttributeError, OSError):  # not Linux, or forbidden by a sandbox
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _drop_privileges() -> None:
    """Drop what no engine and no parser needs: privileges, large files, many descriptors.

    The number of processes is not limited: the kernel counts those of the user, the server's among
    them, and not at all for root.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, *map(ctypes.c_ulong, (1, 0, 0, 0)))
    # Python leaves a bytecode file that the limit cut short, and then cannot import the module.
    sys.dont_write_bytecode = True
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES, _FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))


def _serve(channel: socket.socket) -> NoReturn:
    try:
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
    """Limit the CPU time of one call to its time limit and a margin.

    The owner enforces the time limit by the clock. This limit also ends a process that computes on
    several threads, and one whose owner no longer watches it.
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
    # msgpack refuses lone surrogates.
    type_name, message, trace = (text.encode("utf-8", "replace").decode() for text in texts)
    return type_name, message, trace


def _resolve(function: str | Callable[..., object]) -> Callable[..., object]:
    return _load(function) if isinstance(function, str) else function


@functools.cache
def _load(reference: str) -> Callable[..., object]:
    module, _, name = reference.partition(":")
    loaded: Callable[..., object] = getattr(importlib.import_module(module), name)
    return loaded


def _ignore_signals() -> None:
    """Ignore signals for the owner's group, those that are pending too, and unblock all.

    Batch systems send SIGTERM to every process. It must end the workers only, so that the owner
    learns from their exit status that no work was the cause. SIGUSR1 says that the time of a batch
    job ends soon, which is for the owner alone: workers ignore it, too.

    The owner may have blocked or ignored signals, and exec keeps both. With SIGCHLD ignored, the
    kernel would forget the exit status of a worker.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
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


def _die_with(parent: int) -> None:
    """Arrange that this process ends when its parent does, however that ends.

    This guard of the kernel also ends C code that never releases the interpreter lock, but it
    fires when the *thread* that started us ends, and a library may reset it.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
    if os.getppid() != parent:  # it died before the guard was set
        os._exit(0)


def _watch(parent: int) -> NoReturn:
    """End this process when its parent has ended: a second guard, which needs the interpreter."""
    try:
        poll = select.poll()
        poll.register(os.pidfd_open(parent), select.POLLIN)
    except (AttributeError, OSError):  # forbidden by a sandbox
        while os.getppid() == parent:
            time.sleep(_WATCH_S)
    else:
        if os.getppid() == parent:  # else the number may be another process's by now
            poll.poll()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
