"""Runs commands of other programs within bounds on their output and time."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import time
from typing import Final

from qwicket.scaling.site import SiteError

_READ_BYTES: Final = 64 << 10
_MAX_STDIN_BYTES: Final = 64 << 10
"""What a pipe holds, so that writing it waits for nobody."""


def run_command(
    *command: str, stdin: str = "", max_bytes: int = 4 << 20, timeout_s: float = 30.0
) -> str:
    """Run a command; return its output.

    Args:
        *command: Program and arguments.
        stdin: Text for its standard input, at most 64 KiB.
        max_bytes: Bytes of its output and its errors together.
        timeout_s: Seconds until it has ended.

    Raises:
        SiteError: It cannot be run, fails, or exceeds a bound; then it was killed.
    """
    deadline, name = time.monotonic() + timeout_s, command[0]
    assert len(stdin.encode()) <= _MAX_STDIN_BYTES
    try:
        process = subprocess.Popen(  # noqa: S603 - the site's own commands
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    except FileNotFoundError:
        raise SiteError(f"{name} was not found: run this where it is installed") from None
    except OSError as error:
        raise SiteError(f"{name} cannot be run: {error.strerror}") from None
    with contextlib.ExitStack() as end:
        end.callback(process.wait)
        end.callback(process.kill)
        try:
            output, errors = _exchange(process, stdin.encode(), max_bytes, deadline, end)
            if len(output) + len(errors) > max_bytes:
                raise SiteError(f"{name} writes more than {max_bytes:,} bytes; no more are read")
            status = process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise SiteError(f"{name} did not end within {timeout_s:g} s") from None
    if status:
        text = " ".join((errors or output).decode(errors="replace").split())[:500]
        raise SiteError(f"{name} failed: {text}")
    return output.decode(errors="replace")


def _exchange(
    process: subprocess.Popen[bytes],
    stdin: bytes,
    max_bytes: int,
    deadline: float,
    end: contextlib.ExitStack,
) -> tuple[bytearray, bytearray]:
    """Write the input; read output and errors to their end, or beyond the bound.

    Raises:
        subprocess.TimeoutExpired: The deadline has passed.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
        pipe.write(stdin)
    output, errors = bytearray(), bytearray()
    streams = end.enter_context(selectors.DefaultSelector())
    for stream, found in ((process.stdout, output), (process.stderr, errors)):
        end.enter_context(stream)
        streams.register(stream, selectors.EVENT_READ, found)
    while streams.get_map() and len(output) + len(errors) <= max_bytes:
        ready = streams.select(max(0.0, deadline - time.monotonic()))
        if not ready:
            raise subprocess.TimeoutExpired(process.args, 0.0)
        for key, _ in ready:
            if chunk := os.read(key.fd, _READ_BYTES):
                key.data.extend(chunk)
            else:
                streams.unregister(key.fileobj)
    return output, errors
