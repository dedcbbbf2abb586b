"""What the audit says, as sentences: one text for each action that can be recorded.

In a text, `{0}` and `{1}` are the names of what the act changed, and other words in braces are
fields of the request, or else of what was recorded before or after it. An action that does
different things has several texts, of which the first counts whose fields the request has
(`field`, or with a value `field=value`, with commas); that of `""` is for all others.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

from markupsafe import Markup, escape

from qwicket.model.accounts import project_address
from qwicket.pages.formats import clip
from qwicket.registrations import of_features

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from qwicket.store.audit import AuditEntry

SENTENCES: Final[Mapping[str, str | Mapping[str, str]]] = {
    "create_account": "added the account {0}",
    "create_accounts": "added the accounts of a class list",
    "import_people": "made people, projects and budgets like a file",
    "change_account": {
        "role=admin": "made {0} an administrator",
        "role=member": "made {0} a member",
        "email": "changed the e-mail of {0} to {email}",
        "is_enabled=true": "enabled {0}",
        "is_enabled=false": "disabled {0}",
        "": "changed what the identity provider’s groups give {0}",
    },
    "reset_account": "changed the password of {0} and ended all tokens and sessions",
    "make_password_link": "made a password link for {0}",
    "delete_account": {
        "jobs=remove": "deleted the account {0} with all jobs",
        "": "deleted the account {0}",
    },
    "restore_account": "restored the account {0}",
    "link_account": "linked the account {account} to a person at the identity provider",
    "set_password": "set a password with a link",
    "sign_in": "signed in with a link",
    "create_token_for": "made a token for {0}",
    "revoke_any_token": "revoked a token of {account}",
    "create_project": "added the project {0}",
    "change_project": {
        "shares,retention_days": "set the shares of {0} to {shares}, and the days that it keeps"
        " ended jobs to {retention_days}",
        "shares": "set the shares of {0} to {shares}",
        "retention_days": "set the days that {0} keeps ended jobs to {retention_days}",
    },
    "add_member": "added {1} to {0}",
    "change_member": "changed {1} in {0}",
    "remove_member": "removed {1} from {0}",
    "change_device": {
        "is_draining=true": "let {0} drain: “{reason}”",
        "is_on=true,is_draining=false": "turned {0} on",
        "is_paused=true": "paused {0}: “{reason}”",
        "is_on=false": "turned {0} off: “{reason}”",
        "message": "set the message of {0}: “{message}”",
    },
    "create_provider": "added the provider {0}",
    "change_provider": {
        "is_active=true": "activated the provider {0}",
        "is_active=false": "deactivated the provider {0}",
    },
    "note_backup": "made a backup",
    "rotate_keys": "rotated the keys of access tokens",
    "cancel_any_job": "cancelled the job {0}",
    "change_any_job": {
        "held=true": "held the job {0}",
        "held=false": "released the job {0}",
        "priority": "set the priority of the job {0} to {priority}",
    },
    "requeue_job": "let the job {0} wait again",
    "abandon_job": "ended the job {0} as failed",
    "resolve_job": "resolved the job {0}",
    "delete_old_jobs": "deleted {deleted} jobs that were to be kept no longer",
    "change_jobs": {
        "ids": "changed selected jobs: {action}",
        "changed_in_all": "changed {changed_in_all} jobs in all: {action}",
        "changed": "changed {changed} jobs: {action}",
        "": "changed many jobs: {action}",
    },
}
"""Texts of the core's actions."""
_ALL: Final[dict[str, str | Mapping[str, str]]] = dict(SENTENCES) | {
    name: text for part in of_features("admin_pages") for name, text in part.sentences.items()
}
TITLES: Final = {name: name.replace("_", " ").capitalize() for name in sorted(_ALL)}
"""Names of the actions for a choice."""
_PAGES: Final = {
    "account": "people",
    "project": "projects",
    "device": "devices",
    "job": "jobs",
    "member": "projects",
}
"""Pages of what acts change, by its kind."""
_LINKED: Final = {"account": "people", "project": "projects", "device": "devices"}
"""Pages of fields that name an account, a project or a device."""
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_WORD: Final = re.compile(r"\{(\w+)\}")
_MAX_CHARS: Final = 80
_MAX_DETAILS: Final = 30
_MAX_DETAIL_CHARS: Final = 400


class Sentence(NamedTuple):
    """An entry of the audit, and what it says of its actor."""

    entry: AuditEntry
    text: Markup
    details: list[tuple[str, str]]


def sentence(entry: AuditEntry, base: str, zone: tzinfo) -> Sentence:
    """Return an entry as a sentence without its subject, the actor.

    Args:
        entry: The entry.
        base: Path of the pages.
        zone: Time zone of the reader.
    """
    kind, *names = entry.subject.split("/")
    if kind in ("project", "member"):  # the name of a project may have slashes, no other has
        n_others = 1 if kind == "member" else 0
        names = ["/".join(names[: len(names) - n_others]), *names[len(names) - n_others :]]
    details = _fields(entry.details)
    before, after = _fields(entry.before), _fields(entry.after)
    words: dict[str, Any] = {**before, **after, **details}
    shown = _Words({name: _word(name, value, base, zone) for name, value in words.items()})
    for number, name in enumerate(names):
        page = "people" if kind == "member" and number else _PAGES.get(kind, "")
        shown[str(number)] = _link(base, page, name)
    text = _filled(_text_of(entry.action, details), shown)
    rows = [("Number", f"{entry.seq:,}"), ("From", entry.address or "a command")]
    rows += [("Action", entry.action), ("Subject", entry.subject), *details.items()]
    for when, fields, others in (("before", before, after), ("after", after, before)):
        changed = {name: value for name, value in fields.items() if others.get(name) != value}
        rows += [(f"{name}, {when}", value) for name, value in changed.items()]
    return Sentence(
        entry, text, [(name, _shown(name, value, zone)) for name, value in rows[:_MAX_DETAILS]]
    )


def _text_of(action: str, details: dict[str, Any]) -> str:
    """Return the text of an action for a request with these fields."""
    unknown = f"{action} {{0}}"  # of a feature that was removed
    found = _ALL.get(action, unknown)
    if isinstance(found, str):
        return found
    fitting = [text for condition, text in found.items() if _holds(condition, details)]
    return fitting[0] if fitting else found.get("", unknown)


def _holds(condition: str, details: dict[str, Any]) -> bool:
    for each in condition.split(","):
        name, is_exact, value = each.partition("=")
        if name not in details or (is_exact and _text(details[name]) != value):
            return False
    return True


def _filled(text: str, shown: _Words) -> Markup:
    return Markup(_WORD.sub(lambda word: shown[word[1]], str(escape(text))))  # noqa: S704 - escaped


class _Words(dict[str, Markup]):
    """Words of a text; one that the entry lacks is an ellipsis."""

    def __missing__(self, key: str) -> Markup:
        return Markup("…")


def _word(name: str, value: Any, base: str, zone: tzinfo) -> Markup:
    """Return a value as people read it; a name with a link."""
    return _link(base, _LINKED.get(name, ""), _shown(name, value, zone))


def _shown(name: str, value: Any, zone: tzinfo) -> str:
    """Return a value as people read it, times in their zone."""
    if isinstance(value, float):
        return f"{value:,.6g}"
    is_time = isinstance(value, str) and _TIME.fullmatch(value)
    if is_time or (isinstance(value, int) and re.search("_at\\b", name)):
        at = datetime.fromisoformat(value) if is_time else datetime.fromtimestamp(value / 1000, UTC)
        at = at.astimezone(zone)
        return f"{at.day} {at:%b %Y %H:%M}"
    return _text(value)


def _link(base: str, page: str, name: str) -> Markup:
    shown = clip(name, _MAX_CHARS)
    if not page or not name:
        return Markup("<b>{}</b>").format(shown)
    name = project_address(name) if page == "projects" else name
    address = f"{base}/admin/{page}/{quote(name, safe=':')}"
    return Markup('<a href="{}">{}</a>').format(address, shown)


def _fields(text: str) -> dict[str, Any]:
    value = json.loads(text)
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return clip(text, _MAX_DETAIL_CHARS)
