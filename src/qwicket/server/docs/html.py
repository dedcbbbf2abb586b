"""Builders of HTML without templates. Text that is not `Html` is escaped."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Final

from qwicket.dialects.openapi import SERVER

if TYPE_CHECKING:
    from collections.abc import Iterable

_CODE: Final = re.compile(r"`([^`]+)`")
ADDRESS: Final = SERVER
"""Stands in pages for the server's address, which `File.at` fills in for each request."""
_VOID: Final = frozenset({"link", "meta", "br"})


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: str | None) -> Html:
    """Return an element. Children that are not `Html` are escaped.

    Attributes with None are left out. In names, a trailing underscore is dropped (`class_`), and
    others become hyphens.
    """
    rendered = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{rendered}>")
    return Html(f"<{name}{rendered}>{join(children)}</{name}>")


def join(children: Iterable[str], between: str = "") -> Html:
    """Return texts one after the other, each escaped unless it is `Html`; `between` is not."""
    pieces = (each if isinstance(each, Html) else escape(each, quote=False) for each in children)
    return Html(between.join(pieces))


def prose(text: str) -> Html:
    """Return a sentence in which `backticks` mark code."""
    pieces = _CODE.split(" ".join(text.split()))
    return join(tag("code", each) if index % 2 else each for index, each in enumerate(pieces))


def page(title: str, *body: str, section: str, docs_path: str) -> bytes:
    """Return a whole document.

    Args:
        title: Title of the window.
        body: Content below the header.
        section: Current entry of the header: `api` or `errors`.
        docs_path: Relative path from this page to `/docs/`: addresses are relative, because a
            proxy may have put a prefix before them.
    """
    entries = [("api", "API", f"{docs_path}../docs"), ("errors", "Errors", f"{docs_path}errors")]
    links = [
        tag("a", label, href=href, aria_current="page" if name == section else None)
        for name, label, href in entries
    ]
    document = tag("a", "openapi.json", href=f"{docs_path}../v1/openapi.json")
    header = tag(
        "header",
        tag(
            "a",
            tag("span", "⟩", class_="ket"),
            "Qwicket",
            href=f"{docs_path}../docs",
            class_="brand",
        ),
        tag("nav", *links, document, aria_label="Documentation"),
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{title} · Qwicket"),
        tag("link", rel="icon", href=f"{docs_path}icon.svg", type="image/svg+xml"),
        tag("link", rel="stylesheet", href=f"{docs_path}style.css"),
    )
    content = tag("body", header, *body)
    return f"<!doctype html>\n{tag('html', head, content, lang='en')}\n".encode()
