"""The forms of administrators' pages: what each sends to `/v1/admin`, and what it asks first."""

from __future__ import annotations

from datetime import datetime
from math import isfinite, nan
from typing import TYPE_CHECKING, Any, Final

from qwicket.model.errors import InvalidRequest
from qwicket.pages.admin_parts import Act
from qwicket.registrations import of_features

if TYPE_CHECKING:
    from datetime import tzinfo

    from qwicket.model.jobs import JobAction
    from qwicket.pages.admin_parts import Kind
    from qwicket.pages.forms import Form

_DAY_S: Final = 86_400
_ACCOUNT: Final = ("account",)
_ID: Final = ("id",)
_RESTORABLE: Final = "The account can be restored for 30 days."


def _of_selected_jobs(action: JobAction, warning: str) -> Act:
    """Return the form that does an action on the jobs which are selected in a list."""
    verb = {"priority": "Prioritize"}.get(action, action.capitalize())
    fields: dict[str, Kind] = {"ids": "list"}
    if action == "priority":
        fields["priority"] = "number"
    return Act(
        "change_jobs",
        fields=fields,
        fixed={"action": action, "ids": []},  # refused, unless the form has some
        question=f"{verb} {{number}}?",
        warning=f"{warning} Selected jobs whose state does not allow it stay as they are.",
        button=f"{verb} {{number}}",
        is_counted=True,
    )


ACTS: Final = {
    "create_account": Act(
        "create_account",
        fields={"name": "text", "role": "text", "email": "text", "password": "text"},
        done="The account was added.",
        to="people/{name}",
    ),
    "create_accounts": Act(
        "create_accounts", fields={"accounts": "people", "project": "text", "life_s": "days"}
    ),
    "import_people": Act(
        "import_people",
        fields={"csv": "text", "absent": "text", "enable": "yes", "tokens": "yes"},
        question="Make {number}?",
        warning="All are made, or none. The page after this one shows new tokens once.",
        button="Make {number}",
        is_counted=True,
        noun="change",
    ),
    "disable": Act(
        "change_account", _ACCOUNT, fixed={"is_enabled": False}, done="The account is disabled."
    ),
    "enable": Act(
        "change_account", _ACCOUNT, fixed={"is_enabled": True}, done="The account is enabled."
    ),
    "set_role": Act("change_account", _ACCOUNT, {"role": "text"}, done="The role was changed."),
    "set_email": Act("change_account", _ACCOUNT, {"email": "null"}, done="The e-mail was changed."),
    "reset_account": Act(
        "reset_account",
        _ACCOUNT,
        {"password": "null"},
        done="The password was changed, and all tokens and sessions have ended.",
    ),
    "password_link": Act("make_password_link", _ACCOUNT),
    "delete_account": Act(
        "delete_account",
        _ACCOUNT,
        query={"jobs": "keep"},
        question="Delete {account}, and keep the jobs?",
        warning="It is signed out everywhere, its tokens are refused, and its waiting and running"
        f" jobs are cancelled. {_RESTORABLE}",
        button="Delete {account}",
        done="The account was deleted.",
    ),
    "delete_account_and_jobs": Act(
        "delete_account",
        _ACCOUNT,
        query={"jobs": "remove"},
        question="Delete {account} with all jobs?",
        warning="It is signed out everywhere, its tokens are refused, and its waiting and running"
        f" jobs are cancelled. {_RESTORABLE} Then its jobs are deleted as well.",
        button="Delete {account} with all jobs",
        done="The account was deleted.",
    ),
    "restore_account": Act("restore_account", _ACCOUNT, done="The account is back."),
    "create_token": Act(
        "create_token_for",
        _ACCOUNT,
        {
            "name": "text",
            "project": "text",
            "scopes": "list",
            "devices": "list",
            "life_s": "days",
            "aws": "yes",
        },
    ),
    "revoke_token": Act(
        "revoke_any_token",
        ("token",),
        question="Revoke the token {label}?",
        warning="The token and all that were made with it are refused at once.",
        button="Revoke the token",
        done="The token was revoked.",
    ),
    "rotate_keys": Act(
        "rotate_keys",
        question="Rotate the keys of access tokens?",
        warning="All access tokens and signed URLs end at once; clients sign in again.",
        button="Rotate the keys",
        done="The keys were rotated.",
    ),
    "cancel_job": Act("cancel_any_job", _ID, done="The job was cancelled."),
    "hold_job": Act("change_any_job", _ID, fixed={"held": True}, done="The job is held."),
    "release_job": Act("change_any_job", _ID, fixed={"held": False}, done="The job was released."),
    "requeue_job": Act("requeue_job", _ID, done="The job waits again."),
    "set_priority": Act(
        "change_any_job", _ID, {"priority": "number"}, done="The priority was changed."
    ),
    "resolve_job": Act("resolve_job", _ID, {"sent_as": "null"}, done="The job goes on."),
    "abandon_job": Act(
        "abandon_job",
        _ID,
        question="End this job as failed?",
        warning="Whatever becomes of it at the other cloud is lost.",
        button="End the job",
        done="The job has ended.",
    ),
    "change_jobs": Act(
        "change_jobs",
        fields={
            "action": "text",
            "priority": "number",
            "account": "text",
            "project": "text",
            "device": "text",
            "name": "text",
            "dialect": "text",
            "states": "list",
            "tags": "list",
            "created_from": "time",
            "created_to": "time",
        },
        question="{action}: {number}?",
        warning="The jobs are chosen again when you go on.",
        button="{action}: {number}",
        is_counted=True,
    ),
    "hold_jobs": _of_selected_jobs("hold", "They start after they are released."),
    "release_jobs": _of_selected_jobs("release", "They take their turns again."),
    "prioritize_jobs": _of_selected_jobs(
        "priority", "Among the jobs of a project, those of a higher priority start earlier."
    ),
    "cancel_jobs": _of_selected_jobs(
        "cancel", "Those that wait never start, and those that run are stopped."
    ),
    "delete_jobs": _of_selected_jobs(
        "delete", "Programs and results of those that have ended are removed at once."
    ),
    "create_project": Act(
        "create_project",
        fields={"name": "text", "shares": "number"},
        done="The project was added.",
        to="projects/{name}",
    ),
    "change_project": Act(
        "change_project",
        ("project",),
        {"shares": "number", "retention_days": "limit"},
        done="The project was changed.",
    ),
    "add_member": Act("add_member", ("project", "account"), done="The person is a member now."),
    "change_member": Act(
        "change_member",
        ("project", "account"),
        {"shares": "number", "role": "text"},
        done="The member was changed.",
    ),
    "remove_member": Act(
        "remove_member",
        ("project", "account"),
        question="Remove {account} from {project}?",
        warning="The person's tokens for this project are revoked. Jobs that wait still run.",
        button="Remove {account}",
        done="The person is no longer a member.",
    ),
    "turn_on": Act("change_device", ("name",), fixed={"is_on": True}, done="The device is on."),
    "turn_off": Act(
        "change_device",
        ("name",),
        {"reason": "text", "until": "time"},
        {"is_on": False},
        done="The device is off. Jobs that run end; others wait.",
    ),
    "pause": Act(
        "change_device",
        ("name",),
        {"reason": "text", "until": "time"},
        {"is_on": False, "is_paused": True},
        done="The device takes jobs and starts none. Jobs that run end.",
    ),
    "drain": Act(
        "change_device",
        ("name",),
        {"reason": "text"},
        {"is_on": True, "is_draining": True},
        done="The device takes no new jobs and runs those that wait.",
    ),
    "set_message": Act(
        "change_device", ("name",), {"message": "kept"}, done="The message was changed."
    ),
    "create_provider": Act(
        "create_provider", fields={"name": "text"}, done="The provider was added."
    ),
    "deactivate_provider": Act(
        "change_provider",
        ("provider",),
        fixed={"is_active": False},
        question="Deactivate the provider {provider}?",
        warning="Its devices are hidden and take no jobs.",
        button="Deactivate {provider}",
        done="The provider is not active.",
    ),
    "activate_provider": Act(
        "change_provider",
        ("provider",),
        fixed={"is_active": True},
        done="The provider is active.",
    ),
    "verify_audit": Act("verify_audit"),
}
"""Forms of the core's pages, by the value of their field `act`."""
ALL_ACTS: Final = ACTS | {
    name: act for part in of_features("admin_pages") for name, act in part.acts.items()
}
"""These and those of features."""


def body_of(act: Act, form: Form, zone: tzinfo) -> dict[str, Any]:
    """Return the body of the request that a form sends.

    Raises:
        InvalidRequest: A number or time is malformed, or the list of people cannot be read.
    """
    body = dict(act.fixed)
    for name, kind in act.fields.items():
        if name not in form:
            continue
        text = form[name].strip()
        if kind == "list":
            items = [each.strip() for given in form.all(name) for each in given.split(",")]
            body[name] = [each for each in items if each]
        elif kind in ("null", "limit") and not text:
            body[name] = None
        elif text or kind == "kept":
            body[name] = _value(name, kind, text, zone)
    return body


def _value(name: str, kind: Kind, text: str, zone: tzinfo) -> Any:
    match kind:
        case "people":
            return people(text)
        case "yes":
            return text == "yes"
        case "time":
            return _time(name, text, zone)
        case "number" | "limit" | "days":
            return _number(name, text) * (_DAY_S if kind == "days" else 1)
    return text


def _number(name: str, text: str) -> float | int:
    try:
        number = float(text)
    except ValueError:
        number = nan
    if not isfinite(number):  # encoded as null, which may mean "no limit"
        raise InvalidRequest(f"{text[:100]!r} is not a number.", field=name)
    return int(number) if number.is_integer() else number


def _time(name: str, text: str, zone: tzinfo) -> str:
    """Return a time of a browser, which names no zone, with the person's zone."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(f"{text[:100]!r} is not a time.", field=name) from None
    return (at if at.tzinfo else at.replace(tzinfo=zone)).isoformat()


def people(text: str) -> list[dict[str, str]]:
    """Return the people of lines of CSV, which may begin with the heading `name,email`.

    Raises:
        InvalidRequest: A cell is longer than the reader takes.
    """
    import csv  # late: few requests need it, and the pages need little memory

    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines())]
    except csv.Error:
        detail = f"A cell has more than {csv.field_size_limit():,} characters."
        raise InvalidRequest(detail) from None
    found = [dict(zip(("name", "email"), row, strict=False)) for row in rows if any(row)]
    if found and found[0] == {"name": "name", "email": "email"}:
        found = found[1:]
    return [{name: value for name, value in person.items() if value} for person in found]
