"""What people come for, from the first page to the last, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.journeys import Visitor, visitor
from support.pages import PASSWORD, Person, add_account
from support.programs import BELL
from support.server import IDLE, LiveServer
from support.waiting import until

LINK = re.compile(r"^    http://\S+(/ui/link\?code=qw_\w+)$", re.MULTILINE)

with_and_without_scripts = pytest.mark.parametrize(
    "has_scripts", [True, False], ids=["scripts", "no-scripts"]
)


def sign_in(person: Visitor, name: str, password: str = PASSWORD) -> None:
    person.open("/ui")
    person.fill(Name=name, Password=password)
    person.press("Sign in")


def run_a_bell_pair(person: Visitor) -> None:
    person.press("New job")
    person.press("Run")
    person.sees("Completed")
    person.sees("00", "11")
    person.does_not_see("01 ")


@pytest.mark.parametrize(
    "has_scripts",
    [True, pytest.param(False, marks=pytest.mark.extended)],
    ids=["scripts", "no-scripts"],
)
def test_from_an_empty_folder_to_a_histogram(tmp_path: Path, has_scripts: bool) -> None:
    server = LiveServer(tmp_path / "server")
    (link,) = until(lambda: LINK.findall(server.log.read_text()), "the link is printed")
    with visitor(tmp_path / "profile", server.url, has_scripts=has_scripts) as root:
        root.open(link)
        root.sees("no account yet")
        root.fill(Name="root", Password=PASSWORD)
        root.press("Make the account")
        assert root.page.run("location.pathname") == "/ui"
        run_a_bell_pair(root)
    assert server.stop() == 0


@pytest.fixture(scope="module")
def teacher(server: LiveServer) -> str:
    """Name of an administrator."""
    return add_account(server, "teacher", "admin")


@pytest.mark.extended
@with_and_without_scripts
def test_a_student_comes_by_invitation(
    server: LiveServer, teacher: str, tmp_path: Path, has_scripts: bool
) -> None:
    with visitor(tmp_path / "teacher", server.url, has_scripts=has_scripts) as person:
        sign_in(person, teacher)
        person.press("Admin")
        person.press("People")
        person.press("Invitations")
        person.press("Make an invitation")
        found = re.search(r"/ui/invitation\?code=\w+", person.read("main"))
        assert found
    name = server.unused("student")
    with visitor(tmp_path / "student", server.url, has_scripts=has_scripts) as student:
        student.open(found[0])
        student.fill(Name=name, Password=PASSWORD)
        student.press("Create the account")
        run_a_bell_pair(student)


@pytest.mark.extended
@with_and_without_scripts
def test_a_forgotten_password(
    server: LiveServer, teacher: str, tmp_path: Path, has_scripts: bool
) -> None:
    name = add_account(server, "student")
    with visitor(tmp_path / "teacher", server.url, has_scripts=has_scripts) as person:
        sign_in(person, teacher)
        person.open(f"/ui/admin/people?q={name}")
        person.press(name)
        person.press("Send password link")
        found = re.search(r"/ui/link\?code=\w+", person.read("main"))
        assert found
    with visitor(tmp_path / "student", server.url, has_scripts=has_scripts) as student:
        student.open(found[0])
        student.fill(Password="battery staple")
        student.press("Set the password")
        student.open("/ui/account")
        student.sees(name)
        student.open(found[0])
        student.sees("was used")


@pytest.mark.extended
@with_and_without_scripts
def test_a_teacher_finds_a_students_job_sees_why_it_waits_and_holds_it(
    tmp_path: Path, has_scripts: bool
) -> None:
    server = LiveServer(tmp_path / "server", *IDLE)
    teacher = add_account(server, "teacher", "admin")
    with Person(server, "student") as student:
        job = student.client.submit(BELL, "simulator", shots=10, name="homework 3")
        with visitor(tmp_path / "teacher", server.url, has_scripts=has_scripts) as person:
            sign_in(person, teacher)
            person.press("Jobs")
            person.press("Everyone")
            person.press("homework 3")
            person.sees("Waiting", student.name)
            person.press("Hold")
            person.sees("Held")
        assert student.client.job(job.id).info["held_by"] == "admin"
    server.stop()


@pytest.mark.extended
@with_and_without_scripts
def test_an_operator_drains_a_device(
    server: LiveServer, teacher: str, tmp_path: Path, has_scripts: bool
) -> None:
    with visitor(tmp_path / "operator", server.url, has_scripts=has_scripts) as person:
        sign_in(person, teacher)
        person.open("/ui/admin/devices/clifford")
        person.fill("Drain", Reason_for_users="new lasers")
        person.press("Drain")
        person.open("/ui/devices/clifford")
        person.sees("Draining", "new lasers")
        person.does_not_see("Run here")
        person.open("/ui/admin/devices/clifford")
        person.press("Turn on")
        person.open("/ui/devices/clifford")
        person.sees("Ready")
