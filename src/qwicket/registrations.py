"""What vendors and features register: names, which are imported when they are first needed.

The core asks this module, and imports no vendor and no feature itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pkgutil import resolve_name
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from qwicket.model.devices import Family

_LIST: Final = "qwicket.vendors"
_FEATURES: Final = "qwicket.features"


CloudPart = Literal["cancellation", "calibration", "queue", "price"]
"""What the API of another cloud may lack."""


@dataclass(frozen=True, kw_only=True)
class CloudKind:
    """An API by which the devices of another cloud are reached.

    Attributes:
        name: Its name in device files.
        driver: Class of the clouds that speak it, made from the place of a device (`Remote`), the
            key of the account there, and the formats that the device takes there.
        language: Language in which programs are sent that it does not take as they are. Kinds
            without one take no other programs.
        formats: Formats that it takes as they are; None if the device file names them.
        credentials: Function that returns what requests that are passed on are signed with, from
            the place of a device and the key; empty if requests cannot be passed on.
        needs: Fields of a device's place that it needs and others do not have.
        takes: Further fields of a device's place that it may have and others have not.
        key_lines: Greatest number of lines of a key.
        profile: Function that returns the key in a named profile of the vendor's own file; empty
            if the vendor has no profiles.
        token_s: Seconds after the first submission of a job in which a repetition certainly gets
            the job that the first one made. Such a cloud's lists prove nothing: they may lag. None
            if a list proves that a job is absent.
        has_groups: Whether a group of jobs becomes a group there.
        clouds: Clouds that speak it, for the table in docs/howto/remote-devices.md.
        found_by: By what a job is found there after a lost response, and when this proves nothing,
            for that table.
        lacks: What it lacks.
    """

    name: str
    driver: str
    language: str = ""
    formats: tuple[str, ...] | None = None
    credentials: str = ""
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    key_lines: int = 1
    profile: str = ""
    token_s: float | None = None
    has_groups: bool = False
    clouds: str = ""
    found_by: str = "nothing: a person decides"
    lacks: tuple[CloudPart, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """A dialect, as the core sees it without importing it.

    Attributes:
        name: Its name in paths (`/docs/NAME`), in jobs, in settings and in lists of devices.
        registration: Name of its `Registration`.
        shows: Formats of its clients' programs by family: the dialect shows the devices that read
            one of them, unless a device's file names other dialects.
        also_sends: Further formats of its clients' programs by family. A device that reads only
            these is shown if its file or its lab names the dialect.
        requests: Outputs that each of its jobs on qubits requests.
    """

    name: str
    registration: str
    shows: Mapping[Family, tuple[str, ...]] = field(default_factory=dict)
    also_sends: Mapping[Family, tuple[str, ...]] = field(default_factory=dict)
    requests: tuple[str, ...] = ()


class SnapshotReader(NamedTuple):
    """Reader of the calibrations that a vendor publishes.

    Attributes:
        read: Name of the function that returns the figures of documents of one machine; None if
            they have another form.
        form: What it reads, with the keys by which it is recognised.
    """

    read: str
    form: str


class Snippet(NamedTuple):
    """A program that submits a job with some client and prints the result.

    Or the lines for the configuration of a host, a program with an assistant that runs jobs.

    Attributes:
        client: Package of the client, in the version that is tested; or the host's file.
        runs_in: `sh` or `python`; `host` if the lines are for a host.
        suite: Suite of a vendor's client in whose environment a test runs it; None for any.
        needs_pair: Whether it signs requests with a key pair instead of a token.
        dialect: Dialect that the client uses.
    """

    client: str
    runs_in: str = "python"
    suite: str | None = None
    needs_pair: bool = False
    dialect: str = "native"


class JobCode(NamedTuple):
    """A program that submits a job again.

    Attributes:
        client: Package of the client, in the version that is tested.
        dialect: Dialect that the client uses; the device must be visible in it.
        formats: Formats of the jobs that it can submit.
        suite: As for `Snippet`.
        needs_pair: As for `Snippet`.
        format_names: What the client calls formats, where the program says it.
    """

    client: str
    dialect: str
    formats: tuple[str, ...]
    suite: str | None = None
    needs_pair: bool = False
    format_names: Mapping[str, str] = MappingProxyType({})


class UsualHost(NamedTuple):
    """Client that connects to a vendor's host by default, and the setting that prevents it."""

    client: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class Clients:
    """What the product shows and tests of the clients of a vendor or feature.

    Attributes:
        environments: Environment variables by client, as `qwicket env` prints them.
        hosts: Hosts of the vendor, as patterns; the first pattern that matches counts.
        snippets: First programs by name; their texts are in `snippets.txt` of the folder.
        snippet: The one that the vendor's name stands for, if any.
        job_codes: Programs that submit a job again, by name; their texts are in `job_codes.txt`.
        headers: Headers that only its clients or responses have, and that cassettes keep.
        open: Returns our client of the vendor, from the address of a server and a token.
    """

    environments: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    hosts: Mapping[str, UsualHost] = field(default_factory=dict)
    snippets: Mapping[str, Snippet] = field(default_factory=dict)
    snippet: str = ""
    job_codes: Mapping[str, JobCode] = field(default_factory=dict)
    headers: tuple[str, ...] = ()
    open: Callable[[str, str], Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """What the folder of a vendor has for the core: names such as "module:attribute".

    Attributes:
        name: Name of the folder.
        dialects: Its dialects.
        formats: Tuples of `Format`s, the languages that it brings.
        limits: Groups of limits of its formats and dialects.
        engines: Packages of engines by the family of devices that they simulate.
        clouds: APIs by which its devices are reached.
        snapshots: Readers of its calibrations.
        clients: Its `Clients`.
    """

    name: str
    dialects: tuple[Dialect, ...] = ()
    formats: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    engines: tuple[tuple[str, str], ...] = ()
    clouds: tuple[CloudKind, ...] = ()
    snapshots: tuple[SnapshotReader, ...] = ()
    clients: str = ""

    @property
    def package(self) -> str:
        """Name of its package."""
        return f"{_LIST}.{self.name}"


@cache
def vendors() -> tuple[Vendor, ...]:
    """Return all vendors of `qwicket.vendors.NAMES`, in its order."""
    names = import_module(_LIST).NAMES
    return tuple([import_module(f"{_LIST}.{name}").VENDOR for name in names])


class Command(NamedTuple):
    """A command, or a group of commands.

    Attributes:
        name: Its name.
        module: Module that defines it under this name.
        heading: Heading under which the main help lists it.
        needs_server: Whether it needs the extra `server`.
    """

    name: str
    module: str
    heading: str = "Use a server"
    needs_server: bool = False


@dataclass(frozen=True, kw_only=True)
class Feature:
    """What the folder of a feature has for the core: names such as "module:attribute".

    Attributes:
        name: Name of the folder.
        has_statements: Whether the folder has named SQL in `statements.sql`.
        columns: Texts that fill braces in these statements, by name.
        on_changes: Function that is called with a transaction and its changes before their commit.
        routes: Routes of `/v1`.
        admin_routes: Routes of `/v1/admin`.
        mounts: Function that returns applications by the paths that they serve, from a gateway.
        api: Path at which its clients submit jobs; a test bed has a journal of the requests there.
        clients: Its `Clients`.
        page_routes: Function that returns routes of the pages, from the pages' handlers.
        admin_pages: What it adds to administrators' pages (`pages/admin_parts.py`).
        commands: Its commands.
        maintenance: Coroutine function of a store and the time in Unix milliseconds, which ends or
            deletes what is due.
        hooks: Functions that fill named gaps of the core, each of which at most one feature fills:
            `statements` returns texts that fill braces in SQL, from those of a database. `windows`,
            `shown_windows` and `why_in_windows` return times in which only some jobs start on a
            device, and `starts_in_windows` forecasts with them. `exam` says what an exam changes
            in a submission. `reserve` and `settle` count a job in budgets; `account_budgets` and
            `project_budgets` return those of an account and of some projects, `budgets_in` and
            `put_budget` read and set some in a transaction, and `budget_administration` is a
            service that sets them. `cluster_findings` returns what
            `qwicket doctor` finds about a cluster. `install_command` is a coroutine function that
            returns the command by which users install this server's package, from a gateway and the
            server's address, and `find_install_command` returns it on a user's machine, from the
            address.
        clusters: Module with the clusters in which a server's jobs may run (`server/compute.py`).
        task: Coroutine function that runs as long as a server, from its gateway.
        metrics: Coroutine function that returns metrics, from a gateway.
    """

    name: str
    has_statements: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)
    on_changes: str = ""
    routes: str = ""
    admin_routes: str = ""
    mounts: str = ""
    api: str = ""
    clients: str = ""
    page_routes: str = ""
    admin_pages: str = ""
    commands: tuple[Command, ...] = ()
    maintenance: str = ""
    hooks: Mapping[str, str] = field(default_factory=dict)
    clusters: str = ""
    task: str = ""
    metrics: str = ""

    @property
    def package(self) -> str:
        """Name of its package."""
        return f"{_FEATURES}.{self.name}"


@cache
def features() -> tuple[Feature, ...]:
    """Return all features of `qwicket.features.NAMES`, in its order."""
    names = import_module(_FEATURES).NAMES
    return tuple([import_module(f"{_FEATURES}.{name}").FEATURE for name in names])


def folders() -> tuple[Vendor | Feature, ...]:
    """Return all vendors and features."""
    return (*vendors(), *features())


def clients() -> Iterator[tuple[str, Clients]]:
    """Yield the clients of each vendor and feature that has some, with its name."""
    for each in folders():
        if each.clients:
            yield each.name, resolve_name(each.clients)


@cache
def of_features(field_name: str) -> tuple[Any, ...]:
    """Return what each feature has under a field of `Feature`, imported by its name."""
    named = [getattr(each, field_name) for each in features()]
    return tuple([resolve_name(name) for name in named if name])


@cache
def hook(gap: str) -> Callable[..., Any] | None:
    """Return the function of the feature that fills a named gap of the core, if there is one."""
    names = [each.hooks[gap] for each in features() if gap in each.hooks]
    return resolve_name(names[0]) if names else None
