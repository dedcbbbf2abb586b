"""What the audit says: each action that can be recorded has a sentence."""

from __future__ import annotations

import json
import re
from datetime import UTC
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import qwicket
from qwicket.dialects.native.admin.routes import ROUTES
from qwicket.pages.admin_sentences import TITLES, sentence
from qwicket.store.audit import AuditEntry

RECORDER = re.compile(r"""_(?:act|recorder)\((?:[^()"]|\([^()]*\))*?"(\w+)"(?:, "\w+")?""")
"""Calls that make a recorder without a request, with the name of the action."""


def told(action: str, subject: str = "x/y", before: Any = None, /, **details: Any) -> str:
    """Return the text of an entry, without its markup."""
    entry = AuditEntry(
        *(7, 0, "", "root", "", action, subject),
        *(json.dumps(details), json.dumps(before), "null", b""),
    )
    return re.sub("<.*?>", "", sentence(entry, "/ui", UTC).text)


def test_each_action_that_can_be_recorded_has_a_sentence() -> None:
    requests = {each.name for each in ROUTES if each.method != "GET" or each.is_recorded}
    package = Path(qwicket.__file__).parent
    stores = ("store/links.py", "store/sessions.py", "features/invitations/store.py")
    of_store = {
        action for path in stores for action in RECORDER.findall((package / path).read_text())
    }
    assert {"set_password", "sign_in", "create_account", "link_account"} <= of_store
    assert {"accept_invitation", "join_project"} <= of_store
    of_retention = {"delete_old_jobs"}
    assert requests | of_store | of_retention == TITLES.keys()


def test_a_request_that_does_different_things_has_different_sentences() -> None:
    assert told("change_account", "account/ada", is_enabled=False) == "disabled ada"
    assert told("change_account", "account/ada", role="admin") == "made ada an administrator"
    device = {"reason": "cold", "is_draining": False}
    assert told("change_device", "device/a", is_on=False, **device) == "turned a off: “cold”"
    drain = device | {"is_draining": True}
    assert told("change_device", "device/a", is_on=True, **drain) == "let a drain: “cold”"
    assert told("change_device", "device/a", is_on=True, **device) == "turned a on"
    assert told("delete_account", "account/ada", jobs="keep") == "deleted the account ada"
    assert told("delete_account", "account/ada", jobs="remove").endswith("with all jobs")
    assert told("remove_member", "member/qec/ada") == "removed ada from qec"
    assert told("revoke_any_token", "token/1", {"account": "ada"}) == "revoked a token of ada"
    invited = {"project": "qec", "invited_by": "root"}
    assert told("join_project", "member/qec/ada", **invited) == "joined qec, invited by root"
    joined = "created this account and joined qec, invited by root"
    assert told("accept_invitation", "account/ada", **invited) == joined
    assert told("an_old_action", "thing/a") == "an_old_action a"


def test_names_and_values_are_text_and_times_are_in_the_readers_zone() -> None:
    entry = AuditEntry(
        *(7, 0, "", "root", "", "change_device", 'device/<b>"'),
        *(json.dumps({"message": "<i>{0}"}), '{"until_at": 3600000}', "null", b""),
    )
    found = sentence(entry, "/ui", ZoneInfo("Asia/Tokyo"))
    assert found.text == (
        'set the message of <a href="/ui/admin/devices/%3Cb%3E%22">&lt;b&gt;&#34;</a>:'
        " “<b>&lt;i&gt;{0}</b>”"
    )
    assert ("until_at, before", "1 Jan 1970 10:00") in found.details
