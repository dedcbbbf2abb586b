"""Plugin of pytest: fixtures of the test bed, a quantum cloud for tests.

The report of a failed test also shows the requests that the test bed received. pytest loads this
module in every project, so it imports the rest only when a test uses a fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from qwicket.testing.cloud import Cloud
    from qwicket.testing.guard import Guard

_CLOUD_FIXTURES = ("qwicket_cloud", "qwicket_server")
"""Fixtures that give a test the same object."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("qwicket", "test bed of Qwicket")
    group.addoption(
        "--qwicket-guard",
        action="store_true",
        help="refuse connections to other machines in each test function",
    )
    parser.addini(
        "qwicket_strict",
        "refuse (true) or ignore (false) parameters of queries and fields of bodies that the test"
        " bed's routes do not declare; by default the test bed's journal reports them",
        default="",
    )


@pytest.fixture(scope="session")
def qwicket_server(pytestconfig: pytest.Config) -> Iterator[Cloud]:
    """Yield the client of a test bed that all tests of this process share; it is not reset."""
    from qwicket.testing import server

    with server(strict=_strictness(pytestconfig.getini("qwicket_strict"))) as cloud:
        yield cloud


def _strictness(given: str) -> bool | None:
    words = {"": None, "true": True, "false": False}
    if given.lower() not in words:
        raise pytest.UsageError(f"qwicket_strict is true or false, not {given!r}.")
    return words[given.lower()]


@pytest.fixture
def qwicket_cloud(qwicket_server: Cloud) -> Cloud:
    """Reset the shared test bed, and return its client."""
    qwicket_server.reset()
    return qwicket_server


@pytest.fixture
def qwicket_guard() -> Iterator[Guard]:
    """Refuse connections to other machines during the test; `Guard` names the exceptions."""
    from qwicket.testing.guard import Guard

    with Guard() as guard:
        yield guard


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--qwicket-guard"):
        for item in items:
            if isinstance(item, pytest.Function):
                item.fixturenames.insert(0, "qwicket_guard")  # before the test's other fixtures


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the newest requests to the test bed to the report of a failed test that used it."""
    report = yield
    fixtures = getattr(item, "funcargs", {})
    clouds = [fixtures[name] for name in _CLOUD_FIXTURES if name in fixtures]
    if report.when == "call" and report.failed and clouds:
        report.sections.append(("requests to the test bed", _dump(clouds[0])))
    return report


def _dump(cloud: Cloud) -> str:
    from qwicket.testing.errors import TestBedError

    try:
        return cloud.dump()
    except TestBedError as error:
        return str(error)
