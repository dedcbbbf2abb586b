"""Client of a test bed: set faults and scenarios, read and check the journal."""

from __future__ import annotations

import http.client
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeVar, Unpack, get_args
from urllib.parse import urlsplit

import msgspec

from qwicket.testing.errors import JournalError, TestBedError
from qwicket.testing.options import Filter, check_kind, check_names, matches
from qwicket.testing.states import Diff, diff
from qwicket.testing.values import (
    AwsKeys,
    BudgetUnit,
    Credentials,
    Exchange,
    Fault,
    FaultKind,
    Journal,
    Scenario,
    ScenarioKind,
)
from qwicket.testing.worlds import device_table, read_world

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import pytest

    from qwicket.testing.cassettes.drift import Drift
    from qwicket.testing.guard import Guard
    from qwicket.testing.options import DeviceOptions, FaultOptions, ScenarioOptions

T = TypeVar("T")
V = TypeVar("V", Fault, Scenario)

_TIMEOUT_S: Final = 30.0
_SHOWN: Final = 40
"""Entries of the journal in the text of a failure."""
_CACHE_S: Final = 0.11
"""Longer than the 0.1 s for which a server caches the state of devices and tokens."""
# Bound at import, so that tests that replace classes of `http.client` do not affect this client.
_Connection: Final = http.client.HTTPConnection
_NATIVE: Final = "qwicket"


class Cloud:
    """Client of a test bed that runs in another process.

    Args:
        url: Address of the test bed.
        secret: Secret of its control interface.
        timeout_s: Seconds in which the response to a command must come.

    Attributes:
        url: Address of the test bed.

    Raises:
        TestBedError: The address is invalid.
    """

    def __init__(self, url: str, secret: str, *, timeout_s: float = _TIMEOUT_S) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise TestBedError(f"url: {url!r} is not an address such as http://127.0.0.1:8000.")
        self.url = url.rstrip("/")
        self._address = parts.hostname, parts.port or 80
        self._secret = secret
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._connection: http.client.HTTPConnection | None = None
        self._accounts: dict[str, Credentials] = {}

    def close(self) -> None:
        """Close the connection to the control interface; the test bed keeps running."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- clients ----------------------------------------------------------------------------------

    @property
    def token(self) -> str:
        """Token of the account `tester`."""
        return self.account().token

    def account(self, name: str = "tester", *, life_s: int | None = None) -> Credentials:
        """Return the credentials of an account; a new name creates a new account.

        Args:
            name: Name of the account.
            life_s: Seconds on the test bed's clock after which a new account's token and key pair
                expire; by default never.
        """
        if name not in self._accounts:
            body = {"name": name, "life_s": life_s}
            self._accounts[name] = self._control("account", body, Credentials)
        return self._accounts[name]

    def agent_token(self, *devices: str, account: str = "tester") -> str:
        """Return a new token for an agent, the program in a lab that runs a device's jobs.

        The token is valid until the reset.

        Args:
            devices: Names of the devices, which the agent then announces.
            account: Name of the account that provides them.

        Raises:
            TestBedError: A name is invalid, or no device is named.
        """
        token: str = self._control("agent", {"name": account, "devices": devices}, str)
        return token

    def env(
        self,
        client: str,
        *,
        account: str = "tester",
        monkeypatch: pytest.MonkeyPatch | None = None,
    ) -> dict[str, str]:
        """Return the environment variables by which a client reaches the test bed.

        Args:
            client: A name that `qwicket env` lists, such as `xcc`, or `qwicket`.
            account: Name of the account whose credentials the client gets.
            monkeypatch: If given, sets the variables, and removes those that would point elsewhere.

        Raises:
            TestBedError: There is no such client.
        """
        from qwicket.testing.environment import set_variables, variables_of

        variables = variables_of(client, self.url, self.account(account))
        return set_variables(variables, monkeypatch)

    def client(self, name: str = _NATIVE, *, account: str = "tester") -> Any:
        """Return Qwicket's own client of a cloud, with the token of an account.

        Args:
            name: `qwicket`, or a vendor with a client of ours.
            account: Name of an account.

        Raises:
            TestBedError: There is no such client.
        """
        from qwicket.testing.clients import open_client

        return open_client(name, self.url, self.account(account).token)

    # --- faults, scenarios, devices ---------------------------------------------------------------

    def fault(self, kind: FaultKind, **options: Unpack[FaultOptions]) -> None:
        """Make requests fail, slow or wrong; `values.Fault` describes the kinds and options.

        Raises:
            TestBedError: An option has the wrong name or value.
        """
        check_kind("fault", kind, get_args(FaultKind))
        self._control("fault", _checked(Fault, {"kind": kind, **options}))

    def scenario(self, kind: ScenarioKind, **options: Unpack[ScenarioOptions]) -> None:
        """Set what happens to jobs; `values.Scenario` describes the kinds and options.

        Raises:
            TestBedError: An option has the wrong name or value.
        """
        check_kind("scenario", kind, get_args(ScenarioKind))
        self._control("scenario", _checked(Scenario, {"kind": kind, **options}))

    def device(self, name: str, *, is_on: bool = True, **options: Unpack[DeviceOptions]) -> None:
        """Turn a device on or off as an operator does, or add a virtual one.

        A reset removes the virtual devices, and restores the others.

        Args:
            name: Name of the device; a new one has `qubits` or a `calibration`.
            is_on: Whether the device takes jobs.
            options: Further options:

                - `is_draining`: Whether it runs the waiting jobs and takes no new ones.
                - `is_paused`: Whether it takes jobs and starts none.
                - `reason`: Why it is off, drains or is paused. `message`: Message to its users.
                - `qubits`: Number of qubits of a virtual device.
                - `topology`: `all`, `grid`, `line`, `ring`, `star`, or pairs of qubits.
                - `noise`: Error of gates on two qubits; those on one qubit have a tenth of it. Or
                  the fields of `qwicket.devices.virtual.Noise`.
                - `queue`: Number of jobs of another account that wait there for ever.
                - `calibration`: A file or JSON of a vendor, or its properties
                  and configuration, in place of `qubits`, `topology` and `noise`.

        Raises:
            TestBedError: An option has the wrong name or value.
        """
        self._control("device", device_table({"name": name, "is_on": is_on, **options}, Path()))
        time.sleep(_CACHE_S)

    def budget(
        self,
        maximum: float,
        unit: BudgetUnit = "jobs",
        *,
        account: str = "tester",
        device: str | None = None,
    ) -> None:
        """Set a budget of an account until the reset; jobs use it up as in production.

        Args:
            maximum: Total that the account's jobs may use.
            unit: `jobs`, `shots`, `seconds` or `cost`.
            account: Name of the account.
            device: Device whose jobs count; by default all.

        Raises:
            TestBedError: There is no such unit or device, or the maximum is invalid.
        """
        body = {"name": account, "maximum": maximum, "unit": unit, "device": device}
        self._control("budget", body)

    def revoke(self, account: str = "tester") -> None:
        """Revoke all tokens of an account; `account` and `token` then return new ones."""
        self._control("revoke", {"name": account})
        self._accounts.pop(account, None)
        time.sleep(_CACHE_S)

    # --- time and state ---------------------------------------------------------------------------

    def freeze(self, at: datetime | None = None) -> None:
        """Stop the test bed's clock.

        Args:
            at: Time at which it stops, in the past or the future; by default its present time.
        """
        self._move(at=None if at is None else at.timestamp(), rate=0.0)

    def advance(self, seconds: float) -> None:
        """Advance the test bed's clock, for example until tokens have expired.

        Before it jumps, submitted jobs that can start do so.

        Args:
            seconds: How far it jumps, 0 or more.

        Raises:
            TestBedError: The number is negative.
        """
        self._move(by=seconds)

    def run_clock(self, rate: float = 1.0) -> None:
        """Let the test bed's clock run, `rate` times as fast as the real one."""
        self._move(rate=rate)

    def _move(self, **change: float | None) -> None:
        self._control("clock", change)
        time.sleep(_CACHE_S)

    def save(self, path: str | Path) -> None:
        """Save accounts, devices and jobs into a file of the test bed's machine.

        `server(state=…)` begins with them.
        """
        self._control("save", {"path": str(Path(path).absolute())})

    def load(self, world: str | Path) -> None:
        """Add the accounts, devices and jobs of a world.

        Args:
            world: A TOML file that describes it, or one that comes with Qwicket: `busy-monday`,
                `many-jobs` or `after-maintenance`.

        Raises:
            TestBedError: There is no such world, or it has a wrong field.
        """
        self._control("load", read_world(world))
        time.sleep(_CACHE_S)

    def diff(self, path: str | Path) -> Diff:
        """Return what has changed in accounts, devices and jobs since a state was saved.

        The file and the test bed must be on this machine.
        """
        with tempfile.TemporaryDirectory() as folder:
            now = Path(folder) / "now"
            self.save(now)
            return diff(path, now)

    def clear(self) -> None:
        """Forget faults and scenarios. Jobs and the journal stay."""
        self._control("clear", {})

    def reset(self) -> None:
        """Forget faults, scenarios, budgets and journal; delete jobs; restore devices and clock.

        It also revokes the tokens of agents.
        """
        self._control("reset", {})
        self._accounts.clear()  # tokens may have been revoked; `account` then returns new ones

    def guard(self) -> Guard:
        """Return a guard that refuses every connection to another machine in its `with` block."""
        from qwicket.testing.guard import Guard

        return Guard()

    def check(
        self,
        path: str | Path,
        *,
        names: Mapping[str, str] | None = None,
        ignore: Sequence[str] = (),
    ) -> list[Drift]:
        """Send a cassette's requests; return where Qwicket's responses differ from the vendor's.

        Args:
            path: File of the cassette.
            names: Maps the vendor's names in the cassette, such as a device's, to Qwicket's.
            ignore: Patterns of fields that are not compared, such as `/jobs/*/cost*`.

        Raises:
            CassetteError: The file is not a cassette.
        """
        from qwicket.testing.cassettes.drift import Checker
        from qwicket.testing.cassettes.tape import read

        account = self.account()
        aws = AwsKeys(account.aws_key_id, account.aws_secret)
        checker = Checker(self.url, self.token, aws=aws, names=names, ignore=ignore)
        return checker.check(read(Path(path)))

    # --- the journal ------------------------------------------------------------------------------

    def journal(self) -> Journal:
        """Return the whole journal."""
        journal: Journal = self._control("journal", {}, Journal)
        return journal

    def requests(self, **which: Unpack[Filter]) -> list[Exchange]:
        """Return the entries of the journal that match, in the order of their beginning.

        Args:
            which: `method`, `path` (a pattern with `*` and `?`), `dialect` (the API, such as
                `native`), `text` (in the body), `status`, `fault`.
        """
        return self._matching(self.journal(), which)

    def unknown_calls(self) -> dict[str, int]:
        """Count the requests that no route serves, by method and path."""
        counts: dict[str, int] = {}
        for each in self.journal().exchanges:
            if each.unknown:
                call = f"{each.method} {each.path}"
                counts[call] = counts.get(call, 0) + 1
        return counts

    def warnings(self) -> list[str]:
        """Return a text for each parameter or field that no route declares, without repetitions.

        A test bed with `strict=False` collects none.
        """
        found = (
            f"{each.method} {each.path}: {text}"
            for each in self.journal().exchanges
            for text in each.warnings
        )
        return [*dict.fromkeys(found)]

    @staticmethod
    def _matching(journal: Journal, which: Filter) -> list[Exchange]:
        check_names("requests", which, Filter.__annotations__)
        return [each for each in journal.exchanges if matches(each, which)]

    def _whole_journal(self) -> Journal:
        """Return the journal; raise `JournalError` if the oldest entries were dropped."""
        journal = self.journal()
        if journal.dropped:
            raise JournalError(
                f"The journal has dropped its {journal.dropped:,} oldest requests, so it proves"
                " nothing about them: reset the test bed more often.",
                self.dump(),
            )
        return journal

    def assert_no_warnings(self) -> None:
        """Check that no request had a parameter or a field that no route declares.

        Raises:
            JournalError: A request had one, often because of a typing error.
        """
        self._whole_journal()
        if warnings := self.warnings():
            raise JournalError("\n".join(warnings), self.dump())

    def assert_count(self, count: int, **which: Unpack[Filter]) -> list[Exchange]:
        """Return the matching entries; check that there are `count`.

        Raises:
            JournalError: There are more or fewer.
        """
        found = self._matching(self._whole_journal(), which)
        if len(found) != count:
            wanted = ", ".join(f"{name}={value!r}" for name, value in which.items())
            raise JournalError(
                f"The journal has {len(found)} requests with {wanted or 'anything'}, not {count}.",
                self.dump(),
            )
        return found

    def assert_one(self, **which: Unpack[Filter]) -> Exchange:
        """Return the only matching entry.

        Raises:
            JournalError: No request matches, or several do.
        """
        return self.assert_count(1, **which)[0]

    def assert_one_job_each(self) -> None:
        """Check that no two requests of an account with the same path and body created a job.

        The first 64 KiB of the bodies are compared, and of a call of a tool its arguments without
        `idempotency_key`. Jobs that are meant to be equal need different names; so do those whose
        programs are uploaded later.

        Raises:
            JournalError: A client submitted a job twice.
        """
        seen: dict[tuple[str, str, str], Exchange] = {}
        for each in self._whole_journal().exchanges:
            if not each.created:
                continue
            key = each.account, each.path, _content(each.body)
            if key in seen:
                text = f"Requests {seen[key].number} and {each.number} made the same job twice."
                raise JournalError(text, self.dump())
            seen[key] = each

    def assert_poll_interval(self, seconds: float) -> None:
        """Check that no job was read twice by the same path within an interval.

        Args:
            seconds: Shortest time between the beginnings of two requests.

        Raises:
            JournalError: A client polled faster.
        """
        last: dict[tuple[str, str], Exchange] = {}
        for each in self._whole_journal().exchanges:
            if each.method != "GET":
                continue
            for job in each.jobs:
                before = last.get((job, each.path))
                last[job, each.path] = each
                if before is not None and each.at - before.at < seconds:
                    text = (
                        f"Requests {before.number} and {each.number} read the same job within"
                        f" {each.at - before.at:.3f} s; at least {seconds:g} s were asked for."
                    )
                    raise JournalError(text, self.dump())

    def assert_quiet_after_end(self) -> None:
        """Check that no job was read twice by the same path after it had ended.

        Raises:
            JournalError: A client continued to poll.
        """
        journal = self._whole_journal()
        read: dict[tuple[str, str], Exchange] = {}
        for each in journal.exchanges:
            for job in each.jobs:
                if each.method != "GET" or each.at < journal.ended.get(job, float("inf")):
                    continue
                before = read.setdefault((job, each.path), each)
                if before is not each:
                    text = (
                        f"Requests {before.number} and {each.number} both read {each.path} after"
                        " the job had ended."
                    )
                    raise JournalError(text, self.dump())

    def dump(self) -> str:
        """Return the newest 40 entries of the journal as text: a line each, and their warnings."""
        journal = self.journal()
        shown = journal.exchanges[-_SHOWN:]
        left_out = len(journal.exchanges) - len(shown) + journal.dropped
        first = [f"({left_out} earlier requests)"] if left_out else []
        return "\n".join([*first, *(each.line() for each in shown)]) or "(no requests)"

    # --- the control interface --------------------------------------------------------------------

    def _control(self, command: str, body: Any, kind: type[T] | None = None) -> Any:
        path = f"/_testing/{command}"
        headers = {"X-Qwicket-Testing": self._secret, "Content-Type": "application/json"}
        with self._lock:
            status, response = self._exchange("POST", path, msgspec.json.encode(body), headers)
        if status >= 400:
            raise TestBedError(f"The test bed refused {path}: {_detail(response)}")
        return None if kind is None else msgspec.json.decode(response, type=kind)

    def _exchange(
        self, method: str, path: str, content: bytes, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        """Send a request; repeat it on a new connection if an older one fails."""
        is_new = self._connection is None
        try:
            if self._connection is None:
                self._connection = _Connection(*self._address, timeout=self._timeout_s)
            self._connection.request(method, path, content, dict(headers))
            response = self._connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            # After a timeout the server may be at work: a repetition would do the command twice.
            if is_new or isinstance(error, TimeoutError):
                raise TestBedError(f"The test bed at {self.url} does not answer: {error}") from None
        return self._exchange(method, path, content, headers)


def _checked(kind: type[V], options: Mapping[str, Any]) -> V:
    names: list[str] = [each.name for each in msgspec.structs.fields(kind)]
    check_names(kind.__name__.lower(), options, names)
    try:
        return msgspec.convert(options, kind)
    except msgspec.ValidationError as error:
        raise TestBedError(f"{error}") from None


class _Call(msgspec.Struct):
    """What a tool is called with."""

    name: str
    arguments: dict[str, Any] = {}


class _Message(msgspec.Struct):
    """A call of a tool in JSON-RPC."""

    jsonrpc: Literal["2.0"]
    params: _Call


def _content(body: str) -> str:
    """Return a body; of a call of a tool what it asks for, without ids and key."""
    try:
        message = msgspec.json.decode(body, type=_Message)
    except msgspec.DecodeError:
        return body
    others = {k: v for k, v in message.params.arguments.items() if k != "idempotency_key"}
    return msgspec.json.encode([message.params.name, others], order="sorted").decode()


def _detail(response: bytes) -> str:
    try:
        return str(msgspec.json.decode(response)["detail"])
    except (msgspec.DecodeError, TypeError, KeyError):
        return response[:500].decode("utf-8", "replace")
