"""HTML pages under `/docs/errors`: one for each error code of requests and of jobs.

They are rendered from the codes of `model.errors` and `model.failures`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.model.errors import QwicketError, codes
from qwicket.model.failures import FAILURES
from qwicket.server.docs.html import Html, card, page, prose, tag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.model.failures import FailureKind

_INTRODUCTION: Final = (
    "The error of a request is a problem document (RFC 9457). Its `type` is the address of one of"
    " these pages, its `detail` says what is wrong with this request, and its `field` where. A job"
    " that failed, and each part without an outcome, has its code in `error`."
)


class Code(NamedTuple):
    """Error code, which a request, a job, or both can have.

    Attributes:
        name: The code, such as `not_found`.
        refusal: Error class of requests with this code, if any.
        failure: Failure of jobs and parts with this code, if any.
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
    """Return every code by its name, in alphabetical order."""
    refusals = codes()
    names = sorted(refusals.keys() | FAILURES.keys())
    return {name: Code(name, refusals.get(name), FAILURES.get(name)) for name in names}


def index(table: Mapping[str, Code]) -> bytes:
    """Return the HTML page that lists the codes of `table`."""
    refusals = [each for each in table.values() if each.refusal is not None]
    refusals.sort(key=lambda each: (each.refusal.status if each.refusal else 0, each.name))
    failures = [each for each in table.values() if each.failure is not None]
    cards = (
        card(heading, tag("ul", *map(_line, those), class_="codes"), id=name)
        for name, heading, those in (
            ("requests", "Errors of requests", refusals),
            ("jobs", "Failures of jobs", failures),
        )
    )
    return page("Errors", prose(_INTRODUCTION), *cards, section="errors", docs_path="")


def detail(code: Code) -> bytes:
    """Return the HTML page of one code."""
    sections = []
    if code.refusal is not None:
        status = HTTPStatus(code.refusal.status)
        sections.append(
            _section(f"Error of a request: {status.value} {status.phrase}", code.refusal)
        )
    if code.failure is not None:
        sections.append(_section("Failure of a job", code.failure))
    return page(
        code.name,
        prose(code.title),
        *sections,
        section="errors",
        docs_path="../",
        above=[("Errors", "/errors")],
    )


def _line(code: Code) -> Html:
    status = str(code.refusal.status) if code.refusal is not None else "job"
    return tag(
        "li",
        tag("span", status, class_=f"status s{status[0]}"),
        tag("a", tag("code", code.name), href=f"errors/{code.name}"),
        tag("span", prose(code.title)),
    )


def _section(heading: str, meaning: type[QwicketError] | FailureKind) -> Html:
    return card(
        heading,
        tag(
            "dl",
            tag("dt", "What it means"),
            tag("dd", prose(meaning.title)),
            tag("dt", "What usually causes it"),
            tag("dd", prose(meaning.cause)),
            tag("dt", "What helps"),
            tag("dd", prose(meaning.remedy)),
        ),
    )
