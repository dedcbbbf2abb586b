"""Named SQL statements, read from `sql/*.sql` and completed from the model.

A statement begins with `-- name: …`. Placeholders in braces are filled in here: column lists from
the model's structs, states from the transition table, and fragments in which databases differ.
Each list of jobs has two variants: oldest first, and the numbers of its jobs by state.
"""

from __future__ import annotations

import re
from importlib import resources
from typing import TYPE_CHECKING, Final

from qwicket.model.accounts import Account, Project, Token
from qwicket.model.bounds import Confirmation
from qwicket.model.client_documents import ClientDocument
from qwicket.model.groups import Group
from qwicket.model.jobs import TINY_S, Job
from qwicket.model.states import NOT_COMPLETED, NOT_ENDED, STEPS, JobState
from qwicket.registrations import features, hook

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import msgspec

_NAME: Final = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_JOB_FIELDS: Final = Job.__struct_fields__
_WITHHELD: Final = "(job.withheld_until is not null and job.state = 'completed')"
_SHOWN: Final = {
    "state": f"case when {_WITHHELD} then 'running' else job.state end",
    "ended_at": f"case when {_WITHHELD} then null else job.ended_at end",
}
"""Columns of a job as its readers see it: while its results are withheld, it seems to run."""
ROW_BYTES: Final = 1_000
"""What the rows of a job or group, and their places in indexes, count besides their contents."""
EVENT_BYTES: Final = 200
"""What an event of a job counts."""
KEPT_EVENTS: Final = 100, 900
"""Numbers of the first and of the last events of a job that are stored."""
_LISTS: Final = ("job_list", "job_search")
_BRACES: Final = re.compile(r"\{([^{}]+)\}")


def load(fragments: Mapping[str, str]) -> dict[str, str]:
    """Return every named statement for one database.

    Args:
        fragments: SQL that depends on the database: `blob`, `serial`, `autoincrement`,
            `database_bytes`, `database_free_bytes`, `database_version`, `greatest`, `least`,
            `lower`, `position` (of a text in another), `text_bytes` (with `{}` for the text),
            `each_text` (of `:tags`, a JSON list), `each_job` (of `:jobs`), `each_tag` (of a job),
            `only_postgres` and `only_sqlite` (at the beginning of a line).
    """
    fills = _fills(fragments)
    for each in features():
        fills |= each.columns
    return {
        variant: filled
        for file in files()
        for name, text in _statements(file.read_text(encoding="utf-8"))
        for variant, filled in _variants(name, _fill(text, fills), fills)
    }


def _variants(name: str, text: str, fills: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield a statement; a list of jobs also oldest first, and as numbers of jobs by state."""
    yield name, text
    if name.startswith(_LISTS):
        yield f"{name}_rising", text.replace("seq desc", "seq")
        states = text.rstrip(";").replace(fills["shown_job"], f"{fills['shown_state']} as state")
        yield f"{name}_by_state", f"select state, count(*) from ({states}) as found group by 1;"


def files() -> list[resources.abc.Traversable]:
    """Return the files of named statements: the core's, and those of features."""
    folders = [resources.files(each.package) for each in features() if each.has_statements]
    return [*_files("sql"), *(folder.joinpath("statements.sql") for folder in folders)]


def migrations(fragments: Mapping[str, str]) -> list[tuple[int, str]]:
    """Return (number, SQL) of every migration, in order."""
    fills = _fills(fragments)
    return [
        (int(file.name[:4]), _fill(file.read_text(encoding="utf-8"), fills))
        for file in _files("sql/migrations")
    ]


def _files(folder: str) -> list[resources.abc.Traversable]:
    found = resources.files("qwicket.store").joinpath(folder).iterdir()
    return sorted((f for f in found if f.name.endswith(".sql")), key=lambda file: file.name)


def _statements(text: str) -> Iterator[tuple[str, str]]:
    marks = list(_NAME.finditer(text))
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    for mark, end in zip(marks, ends, strict=True):
        yield mark.group(1), text[mark.end() : end].strip()


def _fill(text: str, fills: Mapping[str, str]) -> str:
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return _BRACES.sub(lambda match: fills[match.group(1)], code).strip()


def _fills(fragments: Mapping[str, str]) -> dict[str, str]:
    fills = dict(fragments)
    fills["job"] = columns("job", Job)
    fills["account"] = columns("account", Account)
    fills["project"] = columns("project", Project)
    fills["token"] = columns("token", Token)
    fills["confirmation"] = columns("confirmation", Confirmation).replace(
        'confirmation."token_name"',
        "(select token.name from token where token.id = confirmation.token)",
    )
    fills["waiting_job"] = (
        "job.id, job.project, job.est_seconds, job.account, case when job.express is not null"
        " and account.express_from <= :now then account.express_turn end,"
        " job.priority, job.queued_at, case when job.express is not null"
        " and account.express_from > :now then account.express_from end, job.est_bytes, job.seq"
    )
    fills["group"] = columns('"group"', Group)
    fills["record"] = columns("record", ClientDocument)
    fills["states"] = _texts(JobState)
    fills["not_ended"] = _is_one_of(NOT_ENDED)
    fills["not_completed"] = _is_one_of(NOT_COMPLETED)
    for step in STEPS:
        fills[f"before:{step.verb}"] = _is_one_of(step.before)
        fills[f"after:{step.verb}"] = f"'{step.after}'"
    fills["next_change"] = (
        fragments["greatest"] + "(:now_us, (select coalesce(max(other.change), 0) + 1"
        " from job as other where other.account = job.account),"
        " (select last_change + 1 from account where account.id = job.account))"
    )
    # A job must not end before it began, even if the clock was set back.
    fills["end"] = fragments["greatest"] + "(:now, coalesce(started_at, queued_at, created_at))"
    # A run time counts as at most the time since the claim. The clock has milliseconds, so a lease
    # of less than one counts as one; one that a former version took has no time of its own.
    claimed_at = "(select lease.claimed_at from lease where lease.job = job.id)"
    held_ms = f"{fragments['greatest']}(1, :now - coalesce({claimed_at}, started_at))"
    fills["used_us"] = f"{fragments['least']}(:used_us, 1000 * {held_ms})"
    # A job that ran once is displayed as running until it ends, even while it is queued again.
    fills["shown_state"] = (
        "case when job.state = 'queued' and started_at is not null then 'running'"
        f" when {_WITHHELD} then 'running' else job.state end"
    )
    fills["shown_end"] = _SHOWN["ended_at"]
    # A comparison, because SQLite searches the index job_withheld only for that.
    fills["is_withheld"] = "job.withheld_until > 0 and job.state = 'completed'"
    # Whether results of the job `:id` are shown: not those of an exam before its end, even if the
    # job has failed in a part. Unique index on id.
    fills["are_shown"] = (
        "not exists (select 1 from job as exam"
        " where exam.id = :id and exam.withheld_until is not null)"
    )
    fills["shown_job"] = ", ".join(_SHOWN.get(name, f'job."{name}"') for name in _JOB_FIELDS)
    # Whether a job's device is in `:devices`, for example those of a token; null allows all. Names
    # cannot contain `|` (see model/devices.py).
    fills["allowed"] = (
        "(cast(:devices as text) is null"
        " or {position}(cast(:devices as text), '|' || device || '|') > 0)"
    ).format(**fragments)
    shown_state = _SHOWN["state"]  # so a list of completed jobs omits those with withheld results
    fills["list_filter"] = (
        f"{_list_filter(shown_state)} and {_has_text('id')} and {fills['allowed']}"
    ).format(**fragments)
    # Only of lists of all accounts: with one more condition SQLite sorts lists of one dialect, and
    # with two in place of `between` those by a label.
    fills["filter_of_all"] = (
        "created_at between :since and :until"
        " and (cast(:dialect as text) is null or dialect = :dialect)"
        f" and {fills['list_filter']}"
    )
    fills["search_filter"] = (
        "account = :account and dialect = :dialect"
        " and created_at >= :since and created_at <= :until"
        f" and {_list_filter(fills['shown_state'])} and {_has_text('device')}"
        f" and {fills['allowed']}"
    ).format(**fragments)
    for column in ("job.name", "job.tags", "job.choice", '"group".name', "outcome.error_text"):
        fills[f"bytes:{column}"] = fragments["text_bytes"].format(column)
    fills["job_bytes"] = _job_bytes(fills)
    group_name = fills['bytes:"group".name']
    fills["group_bytes"] = f'{ROW_BYTES} + {group_name} + length("group".body)'
    # What each account stores for each project, read from all jobs and groups.
    fills["counted_bytes"] = (
        "(select project, account, cast(sum(bytes) as bigint) as bytes from ("
        f"select project, account, {fills['job_bytes']} as bytes from job"
        f' union all select project, account, {fills["group_bytes"]} as bytes from "group"'
        ") as each_one group by project, account)"
    )
    # How many jobs of each project wait, and of each account for it, counted.
    waits = _is_one_of((JobState.DRAFT, JobState.QUEUED))
    fills["counted_waiting"] = (
        f"(select project, '' as account, count(*) as number from job where {waits}"
        f" group by project union all select project, account, count(*) as number from job"
        f" where {waits} group by project, account)"
    )
    fills["tiny_ms"] = str(round(1000 * TINY_S))
    # The projects to whose budgets the jobs of a project count: itself and those above it.
    charged = (
        "select {0} union all select above from project_above where project_above.project = {0}"
    )
    fills["charged"] = charged.format("cast(:project as text)")
    of_job = charged.format("cast(job.project as text)")
    # Whether a budget applies to a job. The casts let SQLite use the index.
    fills["has_budget"] = (
        f"(exists (select 1 from budget where budget.project in ({of_job})"
        " and budget.device in ('', cast(job.device as text)))"
        " or exists (select 1 from member_budget"
        f" where member_budget.project in ({of_job})"
        " and member_budget.account in ('', cast(job.account as text))"
        " and member_budget.device in ('', cast(job.device as text))))"
    )
    # Where sums of a budget and of a day stop growing, so that they fit into 64 bits.
    fills["max_sum"] = "1000000000000000000"
    fills["max_of_day"] = "1000000000000000"
    fills["all_use"] = (
        "(select project, null as account, device, day, jobs, shots, us, cost from daily_use"
        " union all"
        " select project, account, device, day, jobs, shots, us, cost from account_use)"
    )
    # What clients in Slurm have used, under its names and not without them.
    amounts = "jobs, shots, us, cost"
    place = "project, account, device, day"
    fills["use_with_slurm"] = (
        f"(select {place}, '' as slurm_account, '' as slurm_job, {amounts}"
        f" from {fills['all_use']} as counted union all"
        f" select {place}, '', '', -jobs, -shots, -us, -cost from slurm_use union all"
        f" select {place}, slurm_account, slurm_job, {amounts} from slurm_use)"
    )
    # Gaps for features: whether something keeps a job, or all jobs of a project, from starting now.
    fills |= {f"may_start:{of}": "1 = 1" for of in ("next", "waiting", "job", "share")}
    fill_gaps = hook("statements")
    if fill_gaps is not None:
        fills |= fill_gaps(fragments)
    # Whether a claim may take a waiting job.
    fills |= {
        f"fits:{of}": (
            f"{of}.state = 'queued' and {of}.held_by is null and {of}.est_bytes <= :max_bytes"
            f" and {of}.est_seconds <= :max_seconds and {fills[f'may_start:{of}']}"
        )
        for of in ("next", "waiting")
    }
    # Whether a runner takes jobs of a project.
    fills |= {
        f"takes:{of}": (
            "(cast(:projects as text) is null or case when"
            f" {fragments['position']}(cast(:projects as text), '|' || {of}.project || '|') > 0"
            " then 0 else 1 end = :are_left)"
        )
        for of in ("share", "job")
    }
    # The state of a device, and its maintenance window at the time `:at`.
    window = _window_now("kind = 'maintenance'")
    fills["device_state"] = (
        "device_state.is_on, device_state.reason, device_state.until_at, device_state.is_draining,"
        " device_state.is_paused,"
        f" device_state.message, ({window.format('reason')}), ({window.format('until_at')})"
    )
    fills["device_exam"] = f"({_window_now('waiting_limit is not null').format('id')})"
    fills["holds_lease"] = (
        "exists (select 1 from lease where lease.job = job.id"
        " and lease.fence = :fence and lease.nonce = :nonce)"
    )
    return fills


def _job_bytes(fills: Mapping[str, str]) -> str:
    """Return the expression for what a job counts in its project's sum.

    `length` does not read a blob. A program's inputs are left out: SQLite would read the source
    before them, and that declares each, so they are at most twice as large.
    """
    return (
        f"{ROW_BYTES} + {fills['bytes:job.name']} + {fills['bytes:job.tags']}"
        f" + coalesce({fills['bytes:job.choice']}, 0)"
        " + coalesce((select length(source) + length(circuits) + length(options) from program"
        " where program.job = job.id), 0)"
        " + coalesce((select length(body) from job_vendor_fields"
        " where job_vendor_fields.job = job.id), 0)"
        " + coalesce((select length(response) from forward where forward.job = job.id), 0)"
        f" + {EVENT_BYTES} * (select count(*) from job_event where job_event.job = job.id)"
        " + coalesce((select sum(coalesce(length(outcome.body), (select sum(length(blob.bytes))"
        f" from blob where blob.sha256 = outcome.sha256), {fills['bytes:outcome.error_text']}, 0))"
        " from outcome where outcome.job = job.id), 0)"
    )


def _list_filter(state: str) -> str:
    """Return the condition by which lists filter jobs.

    Args:
        state: Expression for the state of a job.
    """
    # `like` with a pattern of each row takes PostgreSQL 9 µs a row, a position less than 1 µs.
    return (
        '(cast(:group as text) is null or "group" = :group)'
        " and (cast(:device as text) is null or device = :device)"
        " and (cast(:projects as text) is null"
        " or {position}(cast(:projects as text), '|' || project || '|') > 0)"
        " and (cast(:name as text) is null or name = :name)"
        " and (cast(:states as text) is null"
        f" or {{position}}(cast(:states as text), '|' || {state} || '|') > 0)"
        " and not exists (select 1 from {each_text}"
        " where asked.value not in (select borne.value from {each_tag}))"
    )


def _has_text(column: str) -> str:
    """Return the condition that a job's name, tags or another column contain `:text`."""
    return (
        "(cast(:text as text) = '' or {position}("
        f"{{lower}}(name || ' ' || {column} || ' ' || tags), {{lower}}(cast(:text as text))) > 0)"
    )


def _window_now(condition: str) -> str:
    """Return a subquery for the column `{}` of a device's window at the time `:at`.

    If there are several windows that meet the condition, it is the one that ends last.
    """
    return (
        "select reservation.{} from reservation_device as covered"
        " inner join reservation on reservation.id = covered.reservation"
        " where covered.device = device.name and covered.until_at > :at"
        f" and reservation.from_at <= :at and reservation.{condition}"
        " order by covered.until_at desc limit 1"
    )


def columns(table: str, struct: type[msgspec.Struct]) -> str:
    """Return the select list that fills `struct` in the order of its fields."""
    return ", ".join(f'{table}."{field}"' for field in struct.__struct_fields__)


def _is_one_of(states: tuple[JobState, ...]) -> str:
    """Return the condition that a job is in one of the states.

    For one state it uses `=`, because partial indexes do not serve `in` with one value.
    """
    if len(states) == 1:
        return f"job.state = '{states[0]}'"
    return f"job.state in {_texts(states)}"


def _texts(values: Iterable[str]) -> str:
    return "(" + ", ".join(f"'{value}'" for value in values) + ")"
