"""Counts what each callback of a server's event loop does: the same numbers on every machine.

Python imports it at its start when this folder is on PYTHONPATH. It counts calls of functions, and
the bytes of JSON and forms that are parsed or written: one call in C, however long the text.
"""

import asyncio
import contextlib
import functools
import json
import sys
import urllib.parse
from collections.abc import Callable
from types import FrameType
from typing import Any

_LOGGED_CALLS = 5_000
_LOGGED_BYTES = 16 << 10
_calls = _bytes = 0


def _count_call(_frame: FrameType, event: str, _arg: Any) -> None:
    global _calls
    if event in ("call", "c_call"):
        _calls += 1


def _counted(run: Callable[[Any], None]) -> Callable[[Any], None]:
    @functools.wraps(run)
    def counted(handle: Any) -> None:
        global _calls, _bytes
        _calls = _bytes = 0
        callback = handle._callback
        sys.setprofile(_count_call)
        try:
            run(handle)
        finally:
            sys.setprofile(None)
        if _calls > _LOGGED_CALLS or _bytes > _LOGGED_BYTES:
            name = repr(getattr(callback, "__self__", None) or callback)
            sys.stderr.write(f"counted {_calls} calls, {_bytes} bytes in {name}\n")

    return counted


def _add(text: Any) -> None:
    """Add the size of a text that is parsed or written, unless a thread beside the loop does it."""
    global _bytes
    with contextlib.suppress(RuntimeError, TypeError):
        asyncio.get_running_loop()
        _bytes += len(text)


def _parsing(function: Any) -> Any:
    @functools.wraps(function)
    def parse(text: Any, *arguments: Any, **options: Any) -> Any:
        _add(text)
        return function(text, *arguments, **options)

    return parse


def _writing(function: Any) -> Any:
    @functools.wraps(function)
    def write(*arguments: Any, **options: Any) -> Any:
        text = function(*arguments, **options)
        _add(text)
        return text

    return write


def _made(kind: Any) -> Any:
    """Return a function that makes a Decoder or Encoder of msgspec, which cannot be subclassed."""

    class Counted:
        def __init__(self, *arguments: Any, **options: Any) -> None:
            self._own = kind(*arguments, **options)
            if hasattr(self._own, "decode"):
                self.decode = _parsing(self._own.decode)
            else:
                self.encode = _writing(self._own.encode)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._own, name)

    return Counted


if "serve" in sys.orig_argv:
    import msgspec

    handle: Any = asyncio.Handle
    handle._run = _counted(handle._run)
    coding: Any = msgspec.json
    coding.Decoder, coding.Encoder = _made(coding.Decoder), _made(coding.Encoder)
    coding.decode, coding.encode = _parsing(coding.decode), _writing(coding.encode)
    json.loads, json.dumps = _parsing(json.loads), _writing(json.dumps)
    urllib.parse.parse_qsl = _parsing(urllib.parse.parse_qsl)
