"""Builders of HTML without templates. Text that is not `Html` is escaped.

The frame of a page is a template, which the pages under `/ui` have, too. It is imported with the
first page.
"""

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


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()

    def __html__(self) -> Html:
        """Return the text, which templates then do not escape."""
        return self


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
    return Html(f"<{name}{rendered}>{join(children)}</{name}>")


def join(children: Iterable[str], between: str = "") -> Html:
    """Return texts one after the other, each escaped unless it is `Html`; `between` is not."""
    pieces = (each if isinstance(each, Html) else escape(each, quote=False) for each in children)
    return Html(between.join(pieces))


def prose(text: str) -> Html:
    """Return a sentence in which `backticks` mark code."""
    pieces = _CODE.split(" ".join(text.split()))
    return join(tag("code", each) if index % 2 else each for index, each in enumerate(pieces))


def card(heading: str, *content: str, id: str | None = None) -> Html:
    """Return a section with a heading."""
    head = tag("div", tag("h2", heading, id=id), class_="card-h")
    return tag("section", head, tag("div", *content, class_="card-b"), class_="card")


def page(
    title: str,
    lead: Html,
    *body: Html,
    section: str,
    docs_path: str,
    above: Iterable[tuple[str, str]] = (),
) -> bytes:
    """Return a whole document, with the head and the foot of the pages under `/ui`.

    Args:
        title: Title and heading.
        lead: Paragraph below the heading.
        body: Content below that.
        section: Current entry of the navigation: `api` or `errors`.
        docs_path: Relative path from this page to `/docs/`: addresses are relative, because a
            proxy may have put a prefix before them.
        above: Names of the pages above this one, with their paths in `/docs`.
    """
    from qwicket.pages.rendering import frame_values, templates

    values = frame_values(f"{docs_path}..")
    docs = values["docs"]
    values |= {"files": docs, "here": section, "above": [(name, docs + at) for name, at in above]}
    template = templates().get_template("docs.html")
    return template.render(values, title=title, lead=lead, main=join(body)).encode()
