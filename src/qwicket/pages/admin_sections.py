"""What the pages of administrators show and do, as data.

Sections and actions name the handlers of `/v1/admin` that they call; `admin_types` has their types.
"""

from __future__ import annotations

from typing import Final

from qwicket.pages.admin_types import Action, Field, Link, Section

_ACCOUNT: Final = (("account", "name"),)
NO_OR_YES: Final = ("no", "yes")
_ROLES: Final = ("member", "admin")
_JOB_FILTERS: Final = (
    *("account", "project", "device", "state", "tag", "name", "dialect"),
    *("created_from", "created_to"),
)
_ID: Final = (("id", "id"),)
_BULK: Final = (
    Field(
        "action",
        "Action",
        "choice",
        choices=("cancel", "hold", "release", "priority", "requeue"),
    ),
    Field("priority", "New priority, with that action alone", "number"),
    Field("account", "Account"),
    Field("project", "Project"),
    Field("device", "Device"),
    Field("name", "Name"),
    Field("dialect", "Dialect"),
    Field("states", "States; empty for all that have not ended", "list", column="state"),
    Field("tags", "Tags, of which a job has all", "list", column="tag"),
    Field("created_from", "Created from (UTC)", "time"),
    Field("created_to", "Created until (UTC)", "time"),
)
INVITE: Final = Action(
    "create_invitation",
    "Make an invitation",
    fields=(
        Field("project", "Project; may be empty"),
        Field("uses", "Number of accounts", "number"),
        Field("life_s", "Days until it ends; may be empty", "days"),
    ),
)

OWN_SECTIONS: Final[dict[str, Section]] = {
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
        row_actions=(
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
                (Field("role", "Role", "choice", choices=_ROLES, column="role"),),
            ),
            Action(
                "change_account",
                "Set the e-mail",
                _ACCOUNT,
                (Field("email", "E-mail; empty removes it", column="email", is_nullable=True),),
            ),
            Action(
                "reset_account",
                "Reset",
                _ACCOUNT,
                (Field("password", "New password, or none; all tokens end", "password"),),
            ),
            Action(
                "delete_account",
                "Delete",
                _ACCOUNT,
                query=(("jobs", "keep"),),
                warning="It is signed out everywhere, and its tokens are refused. Its jobs"
                " are kept. The account can be restored for some time.",
            ),
            Action(
                "delete_account",
                "Delete with its jobs",
                _ACCOUNT,
                query=(("jobs", "remove"),),
                warning="It is signed out everywhere, and its tokens are refused. The account can"
                " be restored for some time; then its jobs are deleted as well.",
            ),
        ),
        page_actions=(
            Action(
                "create_account",
                "Add an account",
                fields=(
                    Field("name", "Name"),
                    Field("role", "Role", "choice", choices=_ROLES),
                    Field("email", "E-mail; may be empty"),
                    Field("password", "Password; may be empty", "password"),
                ),
            ),
            Action(
                "create_accounts",
                "Add several accounts with a token each",
                fields=(
                    Field(
                        "accounts",
                        "People, one on each line: a name, or a name, a comma and an e-mail",
                        "people",
                    ),
                    Field("project", "Project that they join; may be empty"),
                    Field("life_s", "Days until the tokens end; may be empty", "days"),
                ),
            ),
            INVITE,
        ),
        filters=("name",),
        searched="name",
    ),
    "deleted": Section(
        "Deleted accounts",
        "list_accounts",
        "accounts",
        (("name", "Name"), ("email", "E-mail"), ("deleted_at", "Deleted")),
        row_actions=(Action("restore_account", "Restore", _ACCOUNT),),
        filters=("name",),
        searched="name",
        query=(("deleted", "true"),),
    ),
    "tokens": Section(
        "Tokens of an account",
        "list_tokens_of",
        "tokens",
        (
            ("id", "Token"),
            ("project", "Project"),
            ("scopes", "Rights"),
            ("devices", "Devices"),
            ("created_at", "Created"),
            ("expires_at", "Ends"),
            ("parent", "Made with"),
            ("revoked_at", "Revoked"),
        ),
        row_actions=(
            Action(
                "revoke_any_token",
                "Revoke",
                (("token", "id"),),
                if_column="!revoked_at",
                warning="The token and all that were made with it are refused at once.",
            ),
        ),
        page_actions=(
            Action(
                "create_token_for",
                "Make a token",
                fields=(
                    Field("/account", "Account"),
                    Field("project", "Project; may be empty"),
                    Field("scopes", "Rights; empty to read and submit", "list"),
                    Field("devices", "Devices; empty for all", "list"),
                    Field("life_s", "Days until it ends; empty for never", "days"),
                    Field("aws", "A key pair for AWS's clients", "choice", choices=NO_OR_YES),
                ),
            ),
            Action(
                "rotate_keys",
                "Rotate the keys of access tokens",
                warning="Access tokens of all accounts are signed with a new key.",
            ),
        ),
        filters=("account",),
        required_filter="account",
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
        row_actions=(
            Action("cancel_any_job", "Cancel", _ID, if_column="!ended_at"),
            Action("change_any_job", "Hold", _ID, fixed=(("held", True),), if_column="is_queued"),
            Action("change_any_job", "Release", _ID, fixed=(("held", False),), if_column="held_by"),
            Action("requeue_job", "Requeue", _ID, if_column="is_running"),
            Action(
                "change_any_job",
                "Set the priority",
                _ID,
                (Field("priority", "Priority", "number", column="priority"),),
                if_column="is_queued",
            ),
            Action(
                "resolve_job",
                "Resolve",
                _ID,
                (
                    Field(
                        "sent_as",
                        "Its id at the other cloud; empty: send it again",
                        is_nullable=True,
                    ),
                ),
                if_column="is_uncertain",
            ),
            Action("abandon_job", "Abandon", _ID, if_column="is_uncertain"),
        ),
        page_actions=(
            Action("change_jobs", "Change all that match", fields=_BULK, is_counted=True),
        ),
        filters=_JOB_FILTERS,
    ),
    "projects": Section(
        "Projects",
        "list_all_projects",
        "projects",
        (("name", "Name"), ("shares", "Shares"), ("retention_days", "Days that jobs are kept")),
        row_actions=(
            Action(
                "change_project",
                "Set the shares",
                (("project", "name"),),
                (Field("shares", "Shares", "number", column="shares"),),
            ),
            Action(
                "change_project",
                "Set the days",
                (("project", "name"),),
                (
                    Field(
                        "retention_days",
                        "Days that ended jobs are kept; empty: always",
                        "number",
                        column="retention_days",
                        is_nullable=True,
                    ),
                ),
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
        page_actions=(
            Action(
                "create_project",
                "Add a project",
                fields=(Field("name", "Name"), Field("shares", "Shares", "number")),
            ),
        ),
        filters=("name",),
        searched="name",
        links=(
            Link("Members", "members", "project", "name"),
            Link("Export", "export", "project", "name", feature="archives"),
        ),
    ),
    "members": Section(
        "Members of a project",
        "list_members",
        "accounts",
        (("name", "Account"),),
        row_actions=(
            Action(
                "remove_member",
                "Remove",
                (("project", "project"), ("account", "name")),
                warning="Its tokens for this project are revoked.",
            ),
        ),
        page_actions=(
            Action(
                "add_member",
                "Add",
                fields=(Field("/project", "Project"), Field("/account", "Account")),
            ),
        ),
        filters=("project",),
        required_filter="project",
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
        row_actions=(
            Action("change_device", "Turn on", (("name", "name"),), fixed=(("is_on", True),)),
            Action(
                "change_device",
                "Turn off",
                (("name", "name"),),
                fields=(
                    Field("reason", "Reason"),
                    Field("until", "Until (UTC); empty: until it is turned on", "time"),
                ),
                fixed=(("is_on", False),),
            ),
            Action(
                "change_device",
                "Drain",
                (("name", "name"),),
                fields=(Field("reason", "Reason"),),
                fixed=(("is_on", True), ("is_draining", True)),
            ),
            Action(
                "change_device",
                "Set the message",
                (("name", "name"),),
                (Field("message", "Message", column="message"),),
            ),
        ),
        filters=("name",),
        searched="name",
    ),
    "providers": Section(
        "Providers of devices",
        "list_providers",
        "providers",
        (("name", "Name"), ("is_active", "Active")),
        row_actions=(
            Action(
                "change_provider",
                "Deactivate",
                (("provider", "name"),),
                fixed=(("is_active", False),),
                if_column="is_active",
                warning="Its devices are hidden and take no jobs.",
            ),
            Action(
                "change_provider",
                "Activate",
                (("provider", "name"),),
                fixed=(("is_active", True),),
                if_column="!is_active",
            ),
        ),
        page_actions=(
            Action("create_provider", "Add a provider", fields=(Field("name", "Name"),)),
        ),
    ),
    "usage": Section(
        "Usage",
        "read_usage",
        "usage",
        (
            ("project", "Project"),
            ("device", "Device"),
            ("jobs", "Jobs"),
            ("shots", "Shots"),
            ("seconds", "Seconds"),
            ("cost", "Cost"),
        ),
        filters=("from", "to", "by"),
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
        page_actions=(Action("verify_audit", "Verify that no act was changed"),),
    ),
    "refusals": Section(
        "Refused sign-ins",
        "list_refusals",
        "refusals",
        (("minute", "Minute"), ("address", "Address"), ("number", "Number")),
    ),
}
"""Sections by the last part of their address."""
