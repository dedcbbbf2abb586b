"""What a page of administrators is made of: sections, their actions, and the fields of forms."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

Kind = Literal["text", "number", "days", "password", "time", "choice", "list", "people"]


class Field(NamedTuple):
    """A field of a form.

    Attributes:
        name: Its name in the body of the request; with a `/` before it, a parameter of the path.
        label: Its label.
        kind: How it is written. Commas separate the items of a `list`. Each line of `people` is a
            name, or a name, a comma and an e-mail address. A `time` is in UTC. `days` are sent as
            seconds.
        choices: Values of a choice; `NO_OR_YES` of `admin_sections` is sent as a boolean.
        column: Source of the field's initial value. In a row's form: a column of the row. In a form
            below the list: a filter, if its name is not that of the field. A field with a column is
            sent even if it is empty.
        is_nullable: Whether an empty field is sent as null.
    """

    name: str
    label: str
    kind: Kind = "text"
    choices: tuple[str, ...] = ()
    column: str = ""
    is_nullable: bool = False


class Action(NamedTuple):
    """A request that a button of the page sends.

    Attributes:
        handler: Name of the handler.
        label: Text of its button.
        path: Each parameter of the path, with the column of the row that has its value.
        fields: Fields that a person fills in.
        fixed: Fields of the body that are the same for each row.
        query: Parameters of the query, which are the same for each row.
        if_column: Column that must be true (with a `!` before it: false) in a row that shows the
            action; empty for all rows. A row with a state also has a column `is_STATE`.
        warning: Text to confirm first, if any.
        is_counted: Whether the number of jobs that it would change is confirmed first; its handler
            has a dry run, which counts them.
    """

    handler: str
    label: str
    path: tuple[tuple[str, str], ...] = ()
    fields: tuple[Field, ...] = ()
    fixed: tuple[tuple[str, Any], ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    if_column: str = ""
    warning: str = ""
    is_counted: bool = False


class Link(NamedTuple):
    """A link of a row to another page of administrators.

    Attributes:
        label: Its text.
        page: Last part of the page's address.
        parameter: Parameter of the query.
        column: Column of the row with its value.
        feature: Feature that has the page; empty for a page of the core.
    """

    label: str
    page: str
    parameter: str
    column: str
    feature: str = ""


class Section(NamedTuple):
    """A page of administrators.

    Attributes:
        title: Its title.
        handler: Name of the handler that reads its rows.
        key: Field of the response with the rows.
        columns: Columns of the table, with their headings.
        row_actions: Actions on a row.
        page_actions: Actions that need no row.
        filters: Parameters of the query by which rows are chosen.
        required_filter: Filter that is a parameter of the handler's path. Without it there are
            no rows.
        searched: Column that a filter `name` searches, where the handler has no such filter.
        query: Parameters of the handler's query, which are always the same.
        links: Links of each row.
    """

    title: str
    handler: str
    key: str
    columns: tuple[tuple[str, str], ...]
    row_actions: tuple[Action, ...] = ()
    page_actions: tuple[Action, ...] = ()
    filters: tuple[str, ...] = ()
    required_filter: str = ""
    searched: str = ""
    query: tuple[tuple[str, str], ...] = ()
    links: tuple[Link, ...] = ()
