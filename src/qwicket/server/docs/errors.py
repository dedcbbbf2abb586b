"""A page for every code that this server answers with, made from the two tables of codes."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.model.errors import QwicketError, codes
from qwicket.model.failures import FAILURES
from qwicket.server.docs.html import Html, page, prose, tag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.model.failures import FailureKind

_INTRODUCTION: Final = (
    "A refusal is a problem document (RFC 9457) whose `type` leads to one of these pages. Its"
    " `detail` says what is wrong this time, its `field` where. A job that failed bears its code"
    " in `error`, and so does each part without an outcome."
)


class Code(NamedTuple):
    """Description of one error code.

    Attributes:
        name: The code.
        refusal: Error of a request with this code, if there is one.
        failure: Failure of a job or a part with this code, if there is one.
    """

    name: str
    refusal: type[QwicketError] | None
    failure: FailureKind | None

    @property
    def title(self) -> str:
        meaning = self.refusal or self.failure
        assert meaning is not None
        return meaning.title


def table() -> dict[str, Code]:
    """Return every code, in the order of the alphabet."""
    refusals = codes()
    names = sorted(refusals.keys() | FAILURES.keys())
    return {name: Code(name, refusals.get(name), FAILURES.get(name)) for name in names}


def index(table: Mapping[str, Code]) -> bytes:
    """Return the page that lists them."""
    refusals = [each for each in table.values() if each.refusal is not None]
    refusals.sort(key=lambda each: (each.refusal.status if each.refusal else 0, each.name))
    failures = [each for each in table.values() if each.failure is not None]
    main = tag(
        "main",
        tag("h1", "Errors"),
        tag("p", prose(_INTRODUCTION), class_="lead"),
        tag("h2", "Answers to a request", id="answers"),
        tag("ul", *(_line(each) for each in refusals), class_="codes"),
        tag("h2", "Ends of a job", id="ends"),
        tag("ul", *(_line(each) for each in failures), class_="codes"),
        class_="narrow",
    )
    return page("Errors", main, here="errors", up="")


def detail(code: Code) -> bytes:
    """Return the page of one code."""
    sections = []
    if code.refusal is not None:
        status = HTTPStatus(code.refusal.status)
        sections.append(_section(f"As an answer: {status.value} {status.phrase}", code.refusal))
    if code.failure is not None:
        sections.append(_section("As the end of a job", code.failure))
    main = tag(
        "main",
        tag("p", tag("a", "Errors", href="../errors"), " / ", class_="trail"),
        tag("h1", tag("code", code.name)),
        tag("p", prose(code.title), class_="lead"),
        *sections,
        class_="narrow",
    )
    return page(code.name, main, here="errors", up="../")


def _line(code: Code) -> Html:
    status = str(code.refusal.status) if code.refusal is not None else "job"
    return tag(
        "li",
        tag("span", status, class_=f"status s{status[0]}"),
        tag("a", tag("code", code.name), href=f"errors/{code.name}"),
        tag("span", prose(code.title)),
    )


def _section(heading: str, of: type[QwicketError] | FailureKind) -> Html:
    return tag(
        "section",
        tag("h2", heading),
        tag(
            "dl",
            tag("dt", "What it means"),
            tag("dd", prose(of.title)),
            tag("dt", "What usually causes it"),
            tag("dd", prose(of.cause)),
            tag("dt", "What helps"),
            tag("dd", prose(of.remedy)),
        ),
        class_="card",
    )
