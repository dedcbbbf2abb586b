"""What the pages of administrators show and do, as data: each names handlers of `/v1/admin`."""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple

Kind = Literal["text", "number", "password", "time", "choice", "list"]


class Field(NamedTuple):
    """A field of a form.

    Attributes:
        name: Its name in the body of the request.
        label: Its label.
        kind: How it is written; a `list` has commas between its items, a `time` is in UTC.
        choices: Values of a choice.
        column: Column of the row whose value it begins with.
    """

    name: str
    label: str
    kind: Kind = "text"
    choices: tuple[str, ...] = ()
    column: str = ""


class Action(NamedTuple):
    """A request that changes something.

    Attributes:
        handler: Name of the handler.
        label: What its button says.
        path: Parameters of the path, by the column of the row that has them.
        fields: Fields that a person fills in.
        fixed: Fields of the body that are the same for each row.
        query: Parameters of the query, which are the same for each row.
        if_column: Column that must have a value, or with a `!` before it must have none.
    """

    handler: str
    label: str
    path: tuple[tuple[str, str], ...] = ()
    fields: tuple[Field, ...] = ()
    fixed: tuple[tuple[str, Any], ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    if_column: str = ""


class Section(NamedTuple):
    """A page of administrators.

    Attributes:
        title: Its title.
        handler: Name of the handler that reads its rows.
        key: Field of the response with the rows.
        columns: Columns of the table, with their headings.
        of_row: Actions on a row.
        of_page: Actions that need no row.
        filters: Parameters of the query by which rows are chosen.
        links: Column whose values lead to the page of a job.
    """

    title: str
    handler: str
    key: str
    columns: tuple[tuple[str, str], ...]
    of_row: tuple[Action, ...] = ()
    of_page: tuple[Action, ...] = ()
    filters: tuple[str, ...] = ()


_ACCOUNT: Final = (("account", "name"),)
_ROLES: Final = ("member", "admin")
_JOB_FILTERS: Final = ("account", "project", "device", "state", "tag", "name")
_BULK: Final = tuple(
    Field(name, label)
    for name, label in (
        ("account", "Account"),
        ("project", "Project"),
        ("device", "Device"),
        ("name", "Name"),
    )
)

SECTIONS: Final[dict[str, Section]] = {
    "accounts": Section(
        "Accounts",
        "list_accounts",
        "accounts",
        (
            ("name", "Name"),
            ("role", "Role"),
            ("email", "E-mail"),
            ("created_at", "Created"),
            ("disabled_at", "Disabled"),
        ),
        of_row=(
            Action(
                "change_account",
                "Disable",
                _ACCOUNT,
                fixed=(("is_enabled", False),),
                if_column="!disabled_at",
            ),
            Action(
                "change_account",
                "Enable",
                _ACCOUNT,
                fixed=(("is_enabled", True),),
                if_column="disabled_at",
            ),
            Action(
                "change_account",
                "Set the role",
                _ACCOUNT,
                (Field("role", "Role", "choice", _ROLES, "role"),),
            ),
            Action("delete_account", "Delete", _ACCOUNT, query=(("jobs", "keep"),)),
        ),
        of_page=(
            Action(
                "create_account",
                "Add an account",
                fields=(
                    Field("name", "Name"),
                    Field("role", "Role", "choice", _ROLES),
                    Field("email", "E-mail; may be empty"),
                    Field("password", "Password; may be empty", "password"),
                ),
            ),
            Action(
                "create_invitation",
                "Make an invitation",
                fields=(
                    Field("project", "Project; may be empty"),
                    Field("uses", "Number of accounts", "number"),
                ),
            ),
            Action(
                "restore_account", "Restore a deleted account", fields=(Field("/account", "Name"),)
            ),
        ),
    ),
    "jobs": Section(
        "Jobs of everybody",
        "list_all_jobs",
        "jobs",
        (
            ("id", "Job"),
            ("account", "Account"),
            ("project", "Project"),
            ("device", "Device"),
            ("state", "State"),
            ("created_at", "Created"),
            ("runner", "Runner"),
            ("name", "Name"),
        ),
        of_row=(Action("cancel_any_job", "Cancel", (("id", "id"),), if_column="!ended_at"),),
        of_page=(
            Action(
                "change_jobs",
                "Count what would be changed",
                fields=(
                    Field("action", "Action", "choice", ("cancel", "hold", "release", "requeue")),
                    *_BULK,
                ),
                fixed=(("dry_run", True),),
            ),
            Action(
                "change_jobs",
                "Change all that match",
                fields=(
                    Field("action", "Action", "choice", ("cancel", "hold", "release", "requeue")),
                    *_BULK,
                ),
            ),
        ),
        filters=_JOB_FILTERS,
    ),
    "projects": Section(
        "Projects",
        "list_all_projects",
        "projects",
        (("name", "Name"), ("shares", "Shares"), ("retention_days", "Days that jobs are kept")),
        of_row=(
            Action(
                "change_project",
                "Set the shares",
                (("project", "name"),),
                (Field("shares", "Shares", "number", (), "shares"),),
            ),
            Action(
                "add_member",
                "Add a member",
                (("project", "name"),),
                (Field("/account", "Account"),),
            ),
            Action(
                "remove_member",
                "Remove a member",
                (("project", "name"),),
                (Field("/account", "Account"),),
            ),
        ),
        of_page=(
            Action(
                "create_project",
                "Add a project",
                fields=(Field("name", "Name"), Field("shares", "Shares", "number")),
            ),
        ),
    ),
    "devices": Section(
        "Devices",
        "list_all_devices",
        "devices",
        (
            ("name", "Name"),
            ("is_on", "On"),
            ("is_draining", "Drains"),
            ("reason", "Reason"),
            ("until", "Until"),
            ("message", "Message"),
            ("agents", "Agents"),
            ("last_seen_at", "Last seen"),
        ),
        of_row=(
            Action("change_device", "Turn on", (("name", "name"),), fixed=(("is_on", True),)),
            Action(
                "change_device",
                "Turn off",
                (("name", "name"),),
                (Field("reason", "Reason"),),
                (("is_on", False),),
            ),
            Action(
                "change_device",
                "Drain",
                (("name", "name"),),
                (Field("reason", "Reason"),),
                (("is_on", True), ("is_draining", True)),
            ),
            Action(
                "change_device",
                "Set the message",
                (("name", "name"),),
                (Field("message", "Message", "text", (), "message"),),
            ),
        ),
    ),
    "budgets": Section(
        "Budgets",
        "list_budgets",
        "budgets",
        (
            ("project", "Project"),
            ("device", "Device"),
            ("unit", "Unit"),
            ("period", "Period"),
            ("maximum", "Maximum"),
            ("used", "Used"),
            ("left", "Left"),
        ),
        of_row=(Action("delete_budget", "Remove", (("budget", "id"),)),),
        of_page=(
            Action(
                "set_budget",
                "Set a budget",
                fields=(
                    Field("project", "Project"),
                    Field("device", "Device; empty for all"),
                    Field("unit", "Unit", "choice", ("jobs", "shots", "seconds", "cost")),
                    Field("period", "Period", "choice", ("total", "day", "week", "month")),
                    Field("maximum", "Maximum", "number"),
                ),
            ),
        ),
    ),
    "reservations": Section(
        "Reservations and maintenance",
        "list_reservations",
        "reservations",
        (
            ("kind", "Kind"),
            ("device", "Device"),
            ("projects", "Projects"),
            ("from", "Begin"),
            ("until", "Until"),
            ("slots", "Slots"),
            ("reason", "Reason"),
        ),
        of_row=(Action("remove_reservation", "Remove", (("reservation", "id"),)),),
        of_page=(
            Action(
                "create_reservation",
                "Reserve a device",
                fields=(
                    Field("device", "Device"),
                    Field("projects", "Projects", "list"),
                    Field("from", "Begin (UTC)", "time"),
                    Field("until", "End (UTC)", "time"),
                    Field("slots", "Slots; empty for all", "number"),
                    Field("reason", "Reason"),
                ),
            ),
            Action(
                "create_maintenance",
                "Plan maintenance",
                fields=(
                    Field("device", "Device"),
                    Field("from", "Begin (UTC)", "time"),
                    Field("until", "End (UTC)", "time"),
                    Field("weeks", "Weeks", "number"),
                    Field("reason", "Reason"),
                ),
            ),
        ),
    ),
    "audit": Section(
        "Audit",
        "list_acts",
        "acts",
        (
            ("number", "Number"),
            ("at", "Time"),
            ("actor", "Who"),
            ("address", "Address"),
            ("action", "Action"),
            ("subject", "Subject"),
            ("details", "Details"),
        ),
    ),
    "refusals": Section(
        "Refused sign-ins",
        "list_refusals",
        "refusals",
        (("minute", "Minute"), ("address", "Address"), ("number", "Number")),
    ),
}
"""By the last part of their address."""
