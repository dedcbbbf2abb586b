"""What the pages of administrators are made of, and what features add to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from qwicket.pages.admin_view import View

Kind = Literal["text", "kept", "null", "number", "limit", "days", "time", "list", "people", "yes"]
"""How a field of a form becomes a value in JSON. An empty field is left out, except that `kept` is
sent as it is, and `null` (a text) and `limit` (a number) as null. `days` are sent as seconds, a
`time` is in the person's zone, a `list` has commas or a field for each item, and each line of
`people` is a name, or a name, a comma and an e-mail address."""
MAX_CHOICES: Final = 50
"""Names that a choice offers; with more, it is a field that suggests some."""


class Act(NamedTuple):
    """A form of a page, which sends one request to a handler of `/v1/admin`.

    Attributes:
        handler: Name of the handler.
        path: Fields that are parameters of its path.
        fields: Other fields, which are fields of its body.
        fixed: Fields of the body that are always the same.
        query: Parameters of the query, likewise; one that is a field in braces is left out if the
            form lacks it.
        question: Question that a page asks first, which may name fields in braces; empty if none.
        warning: What follows from it, on that page.
        button: Button of that page, as `question`.
        is_counted: Whether the question needs `{number}`, which a dry run of the handler counts.
        noun: What is counted.
        done: What the page says afterwards; empty if it shows the response.
        to: Path of that page if it is not the page of the form, as `question`.
    """

    handler: str
    path: tuple[str, ...] = ()
    fields: Mapping[str, Kind] = {}
    fixed: Mapping[str, Any] = {}
    query: Mapping[str, str] = {}
    question: str = ""
    warning: str = ""
    button: str = ""
    is_counted: bool = False
    noun: str = "job"
    done: str = ""
    to: str = ""


class Choices(NamedTuple):
    """Values that a field suggests, and whether there are no others."""

    values: Sequence[str]
    is_whole: bool


class Concern(NamedTuple):
    """A thing that needs an administrator's attention.

    Attributes:
        sign: Icon, which is also the class of its colour.
        title: What is wrong.
        address: Page about it, below the pages' own address.
        detail: What follows from it.
        act: Text of the button that leads to `address`.
    """

    sign: str
    title: str
    address: str
    detail: str
    act: str


class Card(NamedTuple):
    """A card on a page of the core.

    Attributes:
        template: Template, whose `card` has the values.
        values: Returns them, from the view and the name of the page's object.
    """

    template: str
    values: Callable[[View, str], Awaitable[Any]]


class Part(NamedTuple):
    """What a feature adds to the pages of administrators.

    Attributes:
        pages: Pages of its own, by name; `module:function`.
        cards: Its card on a page, by the page's name: `people`, `person`, `projects`, `project`,
            `devices` or `device`.
        links: Label and path, below the pages' own address, of its link on such a page. The path
            may have `{name}`, the name of the page's object.
        acts: Its forms, by name.
        files: Its lists that can be downloaded as CSV, with their handlers.
        sentences: What the audit says of its requests, as in `admin_sentences`.
        moved: Its pages by the names that they had before.
        concerns: Returns what needs attention.
    """

    pages: Mapping[str, str] = {}
    cards: Mapping[str, Card] = {}
    links: Mapping[str, tuple[str, str]] = {}
    acts: Mapping[str, Act] = {}
    files: Mapping[str, str] = {}
    sentences: Mapping[str, str | Mapping[str, str]] = {}
    moved: Mapping[str, str] = {}
    concerns: Callable[[View], Awaitable[list[Concern]]] | None = None
