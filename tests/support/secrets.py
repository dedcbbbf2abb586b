"""Failures that every client must handle, and a check that errors reveal no secret."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from support.bad_server import Request, Step, answer, cut, drip, drop, raw, reset, silent


def troubles(sent: Callable[[Request], str], good: Any, secret: str) -> dict[str, Step]:
    """Return steps of servers that fail, and of servers that repeat a request's secrets.

    Args:
        sent: Returns all secrets of a request, as one text.
        good: A good answer, for steps that send part of it.
        secret: A secret that is valid in a header.
    """
    return {
        "dropped": drop(),
        "reset": reset(),
        "cut": cut(90, good),
        "silent": silent(),
        "dripping": drip(0.05, good),
        "no HTTP": raw(b"nonsense\r\n\r\n"),
        "HTML": answer(502, b"<html>"),
        "wrong JSON": answer(200, []),
        "repeats it as a page": answer(404, lambda request: sent(request).encode()),
        "repeats it as JSON of the wrong kind": answer(200, lambda request: [sent(request)]),
        "repeats it as no JSON": answer(200, lambda request: sent(request).encode()),
        "redirects with it": answer(302, b"", {"Location": f"http://{secret}.invalid/?t={secret}"}),
        "asks to retry after it": answer(503, b"", lambda each: {"Retry-After": sent(each)}),
    }


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error with all its causes and contexts, also those that a traceback omits."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [each.__cause__, each.__context__]


def assert_silent(error: BaseException, secrets: Iterable[str]) -> None:
    """Check that neither the texts nor the attributes of an error contain a secret."""
    text = "".join(traceback.format_exception(error))
    for each in chain(error):
        text += f"{each} {each!r} {each.args!r} {vars(each)!r}"
        text += "".join(traceback.format_exception_only(each))
        text += f"{getattr(each, 'headers', '')!r} {getattr(each, 'body', '')!r}"
    for secret in secrets:
        assert secret not in text
