from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from qwicket.store import statements
from qwicket.store.postgres import LISTS
from qwicket.store.sqlite import SQL_FRAGMENTS

SQL = statements.load(SQL_FRAGMENTS)
VARIANTS = ("_rising", "_by_state")
"""Ends of the names of statements that are made of others."""
SOURCES = Path(statements.__file__).parent
HARMLESS_SCANS = {
    "SCAN CONSTANT ROW",
    "SCAN waiting",
    "SCAN turn",  # one project
    "SCAN used",  # days of use, found by indexes
    "SCAN found",  # projects and devices
    "SCAN counted",  # shares of one owner, by index and up to their limit
    "SCAN runner",  # runners are few, and only of a device with a reserved number of slots
    "SCAN job USING INDEX job_begun",  # a partial index, of jobs that run
    *("SCAN asked VIRTUAL TABLE INDEX 1:", "SCAN borne VIRTUAL TABLE INDEX 1:"),  # tags
    # Recursive: accounts with short jobs, and tokens made from one, each step by index.
    *("SCAN lane", "SCAN head", "SCAN tree"),
}


def test_every_statement_is_used_and_every_name_exists() -> None:
    code = "\n".join(path.read_text() for path in SOURCES.parent.glob("features/*/*.py"))
    code += "\n".join(path.read_text() for path in SOURCES.glob("*.py"))
    used = {name for name in re.findall(r'"([a-z_]+)"', code) if name in SQL}
    assert used == {name for name in SQL if not name.endswith(VARIANTS)}


def test_every_list_and_look_up_withholds_the_results_of_an_exam() -> None:
    """Only runners and maintenance read jobs as they are."""
    raw = {
        name
        for name, text in SQL.items()
        if text.startswith("select") and 'job."withheld_until"' in text and 'job."state"' in text
    }
    assert raw == {"job_of_lease", "job_unattended"}


def test_postgresql_plans_every_list_for_its_own_filters() -> None:
    """A plan for all filters goes through the jobs of all accounts, newest first."""
    filtered = {name for name, text in SQL.items() if "cast(:states as text) is null" in text}
    assert {"job_list", "job_list_by_state", "job_search"} <= filtered
    assert {name for name in SQL if name.startswith(LISTS)} >= filtered


def test_no_brace_is_left_unfilled() -> None:
    assert not [name for name, text in SQL.items() if "{" in text or "}" in text]


@pytest.fixture(scope="module")
def schema() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    connection.create_function("lower_unicode", 1, str.lower, deterministic=True)
    for _, text in statements.migrations(SQL_FRAGMENTS):
        connection.executescript(text)
    yield connection
    connection.close()


def test_only_a_marked_look_up_reads_a_whole_table(schema: sqlite3.Connection) -> None:
    found = {name for name in SQL if set(_plan(schema, name, "SCAN")) - HARMLESS_SCANS}
    assert found == _marked("scans")


def test_only_a_marked_look_up_sorts(schema: sqlite3.Connection) -> None:
    found = {name for name in SQL if _plan(schema, name, "TEMP B-TREE")}
    marked = _marked("sorts")
    marked |= {f"{name}_rising" for name in marked if f"{name}_rising" in SQL}
    assert found == marked | {name for name in SQL if name.endswith("_by_state")}  # of few states


def _marked(what: str) -> set[str]:
    """Return the statements with a comment such as `-- scans: few rows` below their name."""
    files = (path.read_text() for path in statements.files())
    marked = re.compile(rf"^-- name: (\w+)\n(?:-- \w+: .+\n)?-- {what}: .+$", re.MULTILINE)
    return {name for text in files for name in marked.findall(text)}


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("job_unfinished", "job_waiting"),
        ("job_unfinished", "job_begun"),
        ("job_claim", "job_to_claim"),
        ("job_claim", "job_to_claim_of_member"),
        ("job_waiting_list", "job_to_claim"),
        ("job_waiting_list_of_member", "job_to_claim_of_member"),
        ("job_waiting_work", "job_to_claim"),
        ("job_depth", "job_to_claim"),
        ("share_charge", "job_to_claim"),
        ("member_share_charge", "job_to_claim_of_member"),
        ("share_wrong", "job_to_claim"),
        ("check_share_without_job", "job_to_claim"),
        ("express_next", "job_express"),
        ("job_waiting_of_account", "job_to_claim_of_member"),
        ("job_waiting_of_account", "job_held"),
    ],
)
def test_waiting_jobs_are_found_by_the_indexes_without_held_jobs(
    schema: sqlite3.Connection, statement: str, index: str
) -> None:
    steps = [step for step in _plan(schema, statement) if " job" in step or index in step]
    assert any(index in step for step in steps), steps


@pytest.mark.parametrize("statement", ["job_add", "project_has_room"])
def test_a_submission_counts_no_waiting_jobs(schema: sqlite3.Connection, statement: str) -> None:
    found = [step for step in _plan(schema, statement) if "waiting" in step]
    assert set(found) == {"SEARCH waiting_jobs USING PRIMARY KEY (project=? AND account=?)"}


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("job_list", "job_by_account (account=? AND seq>? AND seq<?)"),
        ("job_list_of_project", "job_by_project (project=? AND seq>? AND seq<?)"),
        ("job_list_of_project_rising", "job_by_project (project=? AND seq>? AND seq<?)"),
        ("job_list_of_group", "job_by_group (group=? AND seq>? AND seq<?)"),
        ("job_list_of_dialect", "job_by_dialect (account=? AND dialect=? AND seq>? AND seq<?)"),
        (
            "job_list_of_dialect_with_vendor_fields",
            "job_by_dialect (account=? AND dialect=? AND seq>? AND seq<?)",
        ),
    ],
)
def test_lists_read_the_index_that_has_the_fewest_other_jobs(
    schema: sqlite3.Connection, statement: str, index: str
) -> None:
    assert _plan(schema, statement)[0] == f"SEARCH job USING INDEX {index}"


def _plan(schema: sqlite3.Connection, name: str, word: str = "") -> list[str]:
    """Return the steps of a statement's plan that contain a word."""
    parameters = dict.fromkeys(re.findall(r":(\w+)", SQL[name]))
    plan = schema.execute(f"explain query plan {SQL[name]}", parameters)
    return [row[3] for row in plan if word in row[3]]


def test_migrations_are_numbered_from_one_without_gaps() -> None:
    numbers = [number for number, _ in statements.migrations(SQL_FRAGMENTS)]
    assert numbers == list(range(1, len(numbers) + 1))
