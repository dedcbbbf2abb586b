"""Files of people: what a line says, and errors that name lines."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from qwicket.gateway.people_file import COLUMNS, MAX_LINES, read
from qwicket.model.errors import InvalidRequest, LimitExceeded
from qwicket.model.people import PersonLine, WantedBudget
from support.for_each import for_each

NOW = int(1000 * datetime(2027, 1, 31, 12, tzinfo=UTC).timestamp())
HEAD = ",".join(COLUMNS)


def test_a_line_has_all_columns_in_any_order() -> None:
    text = (
        "\ufeffrole, expires ,name,project,email,budget\r\n\r\n"
        "lead,2027-01-31,anna,class,Anna@Uni.example,100 jobs per month + 0.5 credits\r\n"
        ",,ben,,,\r\n"
    )
    anna, ben = read(text, NOW)
    assert anna == PersonLine(
        line=3,
        name="anna",
        email="anna@uni.example",
        project="class",
        role="lead",
        budgets=(
            WantedBudget("jobs", "month", 100, "100 jobs per month"),
            WantedBudget("cost", "total", 500_000, "0.5 credits"),
        ),
        expires_at=int(1000 * datetime(2027, 2, 1, tzinfo=UTC).timestamp()),
    )
    assert ben == PersonLine(line=4, name="ben")


def test_cells_may_be_separated_by_semicolons_as_spreadsheets_of_some_countries_do() -> None:
    (anna,) = read("name;email\nanna;a@b.example\n", NOW)
    assert anna.email == "a@b.example"


def test_a_person_has_a_line_for_each_project() -> None:
    found = read("name,email,project\nanna,a@b.example,one\nanna,,two\n", NOW)
    assert [(each.project, each.email) for each in found] == [("one", "a@b.example"), ("two", None)]


@for_each(
    "text, error",
    [
        ("", "Line 1 must name the columns"),
        ("email\na@b.example\n", "Line 1 must name the columns"),
        ("name,name\nanna,ben\n", "Line 1 must name the columns, each once"),
        ("name,emial\nanna,x\n", "Line 1: 'emial' is not a column; .* Did you mean 'email'?"),
        ("name\n", "Line 2: the file names nobody"),
        ("name\n\n\nAnna\n", "Line 4: name must be 1 to 39 of a-z"),
        ("name\nanna,x\n", "Line 2: it has 2 cells; there are 1 columns"),
        ('name\n"anna\n', "Line 2 is no CSV"),
        ("name,email\nanna,x\n", "Line 2: email must be an e-mail address"),
        ("name,project\nanna,A\n", "Line 2: project must be 1 to 39"),
        ("name,project,role\nanna,p,admin\n", "Line 2: role must be one of lead, member, reader"),
        ("name,role\nanna,lead\n", "Line 2: role needs a project"),
        ("name,budget\nanna,many\n", "Line 2: budget must be such as '100 jobs per month'"),
        ("name,budget\nanna,1.5 jobs\n", "Line 2: maximum must be a whole number of jobs"),
        ("name,budget\nanna,1 jobs + 2 jobs\n", "Line 2: budget has two amounts of jobs"),
        ("name,expires\nanna,soon\n", "Line 2: expires must be a day, such as 2027-02-28"),
        ("name,expires\nanna,9999-12-31\n", "Line 2: expires must be a day"),
        ("name,expires\nanna,2027-01-30\n", "Line 2: expires has passed: 2027-01-30"),
        ("name\nanna\nanna\n", "Line 3: anna is in line 2 already"),
        ("name,project\nanna,p\nanna,p\n", "Line 3: anna in p is in line 2 already"),
        (
            "name,email,project\nanna,a@b.c,p\nanna,d@b.c,q\n",
            "Line 3: anna has another email in line 2",
        ),
        (
            "name,email\nanna,a@b.c\nben,A@b.c\n",
            "Line 3: anna has the email a@b.c in line 2",
        ),
        ("name\nA\nB\n", "Line 2: .* Line 3: "),
    ],
)
def test_an_error_names_its_line(text: str, error: str) -> None:
    with pytest.raises(InvalidRequest, match=error) as raised:
        read(text, NOW)
    assert raised.value.field == "csv"


def test_the_first_errors_are_shown_and_the_others_counted() -> None:
    with pytest.raises(InvalidRequest, match="There are 990 further errors") as raised:
        read("name\n" + "A\n" * 1_000, NOW)
    assert len(raised.value.detail) < 2_000


def test_a_file_has_a_limited_number_of_lines() -> None:
    lines = "".join(f"p{number}\n" for number in range(MAX_LINES))
    assert len(read(f"name\n{lines}", NOW)) == MAX_LINES
    with pytest.raises(LimitExceeded, match="more than 10,000 people"):
        read(f"name\n{lines}last\n", NOW)
