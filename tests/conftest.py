"""Fixtures for all tests."""

from __future__ import annotations

import gc
import os
import re
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, settings

from qwicket.vendors import NAMES
from support import (
    held,
    leftovers,
    one_thread,  # noqa: F401 - the import sets it
    one_tls_context,
    results,
)
from support.installed import missing
from support.postgres import PostgresServer, shared_postgres_server
from support.server import LiveServer

# How long it takes to draw an example and to try it is measured in wall time, which other processes
# take part of.
settings.register_profile(
    "shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("shared machine")

one_tls_context.share()
# Containers often set it, and then output comes in an order that a person does not see.
os.environ.pop("PYTHONUNBUFFERED", None)

ORDER = ["contract", "abuse", "fault", "integration", "measured", "structure", "unit"]
EXTENDED_FILE = re.compile(r"^pytestmark = [^\n]*\bextended\b", re.MULTILINE)
EXTENDED_WORDS = re.compile("extended|postgres|both_databases|database_kind")
"""What each file says of which a test is extended."""
VENDORS_FILE = re.compile(r"^pytestmark = [^\n]*\bneeds_vendors\b", re.MULTILINE)
"""Files that cannot even be imported without vendors."""


def pytest_addoption(parser: pytest.Parser) -> None:
    results.pytest_addoption(parser)


def pytest_configure(config: pytest.Config) -> None:
    results.pytest_configure(config)
    leftovers.start_watchdog(is_worker=hasattr(config, "workerinput"))
    held.install()
    config.add_cleanup(held.uninstall)
    # A shell starts its background jobs with SIGINT ignored, and what they start inherits that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> list[str]:
    return missing()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what only root can do, and what needs vendors that were deleted."""
    needs_root = item.get_closest_marker("needs_root")
    if needs_root is not None and os.geteuid() != 0:
        pytest.skip(f"needs root: {needs_root.args[0]}")
    if item.get_closest_marker("needs_vendors") and not NAMES:
        pytest.skip("needs the vendors")


def pytest_runtest_teardown() -> None:
    """Release the jobs that a test holds before its fixtures end, which may wait for them."""
    held.release_all()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, None, None]:
    """Kill the servers that a failed test has started, whose warnings would fail a later test."""
    before = {*LiveServer.made}
    try:
        yield
    except BaseException:
        for left in {*LiveServer.made} - before:
            left.kill()
        raise


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files of which no test is asked for: each test process imports all others."""
    if collection_path.suffix != ".py":
        return None
    text, stage = collection_path.read_text("utf-8"), config.option.markexpr
    return (
        (stage == "not extended" and EXTENDED_FILE.search(text) is not None)
        or (stage == "extended" and EXTENDED_WORDS.search(text) is None)
        or (not NAMES and VENDORS_FILE.search(text) is not None)
    ) or None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Name the databases of a test that has one: fixtures take them as `database_kind`."""
    if "database_kind" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker
        names = ["postgres"] if marker("only_postgres") else ["sqlite"]
        if marker("both_databases"):
            names += ["postgres"]
        metafunc.parametrize("database_kind", names, scope="module")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave what runs on PostgreSQL to `make test-all`.

    Start with what waits longest, the vendors' suites and attacks, and end with unit tests: a late
    long one runs alone.
    """
    for item in items:
        if runs_on_postgres(item):
            item.add_marker(pytest.mark.extended)
    texts = {item.path: item.path.read_text("utf-8") for item in items}
    silent = {path for path, text in texts.items() if not EXTENDED_WORDS.search(text)}
    for item in items:
        is_missed = item.path in silent and item.get_closest_marker("extended") is not None
        assert not is_missed, f"no word in its file says that it is extended: {item.nodeid}"
    items.sort(key=place)


def place(item: pytest.Item) -> int:
    """Return the place of a test in `ORDER`; the vendors' suites come before all."""
    if "vendor" in item.keywords:
        return -1
    here = Path(__file__).parent
    if not item.path.is_relative_to(here):
        return len(ORDER)
    parts = item.path.relative_to(here).parts  # of a ring's: vendors/NAME/unit/…
    kind = parts[2] if parts[0] in {"features", "vendors"} else parts[0]
    return ORDER.index(kind) if kind in ORDER else len(ORDER)


def runs_on_postgres(item: pytest.Item) -> bool:
    """Return whether a test asks for the server, or for a database by the parameter "postgres"."""
    if not isinstance(item, pytest.Function):
        return False
    values = item.callspec.params.values() if hasattr(item, "callspec") else ()
    asked = [value for value in values if isinstance(value, str)]
    return "postgres" in (*item.fixturenames, *asked)


def pytest_collection_finish() -> None:
    """Leave the collected tests out of what each later garbage collection goes through."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A live server that a whole test process shares. Nobody kills this one.

    More wrong tokens are sent to it than one address may send. It has no express slot: what is
    submitted behind long jobs waits.
    """
    options = ("--limit", "wrong_tokens=1000000", "--express-slots", "0")
    live = LiveServer(tmp_path_factory.mktemp("server"), *options)
    yield live
    assert live.stop() == 0


@pytest.fixture(scope="module")
def server(shared_server: LiveServer) -> Iterator[LiveServer]:
    """The shared server, where a module has an account and a project of its own.

    The jobs that it leaves are cancelled: those of the next module would wait for long ones.
    """
    shared_server.account = shared_server.unused("ada")
    yield shared_server
    shared_server.cancel_unfinished()


@pytest.fixture
def http(server: LiveServer) -> Iterator[httpx.Client]:
    """An HTTP client of the shared server, signed in with the module's account."""
    with server.client() as client:
        yield client


@pytest.fixture(scope="session")
def postgres(testrun_uid: str) -> Iterator[PostgresServer]:
    """The PostgreSQL server that all test processes share. Nobody stops this one."""
    with shared_postgres_server(testrun_uid) as server:
        yield server


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
