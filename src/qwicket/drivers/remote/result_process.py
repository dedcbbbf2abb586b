"""The code inside the process that reads one large result; `large_results` starts it."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from qwicket.clients.http import bounds
from qwicket.drivers.remote.calls import CloudCalls, call_within
from qwicket.drivers.remote.clouds import CloudError, InvalidResult, NoSuchJob, NotUnderstood
from qwicket.drivers.remote.failures import not_understood
from qwicket.drivers.remote.result_reader import ResultReader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qwicket.circuits.outcomes import Completion
    from qwicket.clients.http.bounds import Turn
    from qwicket.devices.remotes import Remote
    from qwicket.drivers.remote.clouds import RemoteProgram
    from qwicket.model.limits import Limits


class Unreadable(msgspec.Struct, frozen=True):
    """Why a result was not read."""

    kind: Literal["CloudError", "InvalidResult", "NoSuchJob", "NotUnderstood"]
    text: str
    retry_after_s: float = 0.0

    def error(self) -> Exception:
        """Return the exception that a read in the server itself would have raised."""
        if self.kind == "InvalidResult":
            return InvalidResult(self.text)
        if self.kind == "NoSuchJob":
            return NoSuchJob(self.text)
        kind = NotUnderstood if self.kind == "NotUnderstood" else CloudError
        return kind(self.text, self.retry_after_s)


class _Reading:
    """A read in a thread, so that a first call returns before it is parsed; also its turn."""

    def __init__(self, read: Callable[[Turn], tuple[Completion, float] | Unreadable]) -> None:
        self._is_received = threading.Event()
        self._may_parse = threading.Event()
        self._result = ThreadPoolExecutor(1).submit(read, self)
        self._result.add_done_callback(lambda _: self._is_received.set())

    def receive(self) -> None:
        """Return at once: `large_results` has waited for this turn."""

    def parse(self) -> None:
        self._is_received.set()
        self._may_parse.wait()

    def wait_until_received(self) -> None:
        self._is_received.wait()

    def result(self) -> tuple[Completion, float] | Unreadable:
        self._may_parse.set()
        return self._result.result()


_readings: Final[list[_Reading]] = []


def warm_up() -> None:
    """Import what every result needs, so that it does not count as memory of the result."""
    from qwicket.circuits import outcome_checks  # noqa: F401


def receive(
    remote: Remote,
    key: str,
    formats: tuple[str, ...],
    limits: Limits,
    environment: Mapping[str, str],
    id: str,
    program: RemoteProgram,
) -> None:
    """Receive a result, until it needs its turn to be parsed. `parse` returns it.

    Args:
        remote: Where the device is.
        key: Key of the account there.
        formats: As for `connect`.
        limits: Bounds on results.
        environment: Environment variables of the server that concern its connections.
        id: Id of the job there.
        program: The job.
    """
    os.environ.update(environment)
    reading = _Reading(partial(_read, remote, key, formats, limits, id, program))
    _readings.append(reading)
    reading.wait_until_received()


def parse() -> tuple[Completion, float] | Unreadable:
    """Parse the received result; return it as `ResultReader.read` does, or why this failed."""
    return _readings.pop().result()


def _read(
    remote: Remote,
    key: str,
    formats: tuple[str, ...],
    limits: Limits,
    id: str,
    program: RemoteProgram,
    turn: Turn,
) -> tuple[Completion, float] | Unreadable:
    from qwicket.drivers.remote import connect  # imported late: that module imports this one

    cloud = connect(remote, key, formats)
    reader = ResultReader(cloud, CloudCalls(key, 1).scrubbed, limits)
    within = bounds.of_results(limits.jobs.result_bytes)
    try:
        return call_within(within, partial(reader.read, id, program), turn)
    except MemoryError:
        raise
    except InvalidResult as error:
        return Unreadable("InvalidResult", str(error))
    except NoSuchJob as error:
        return Unreadable("NoSuchJob", str(error))
    except NotUnderstood as error:
        return Unreadable("NotUnderstood", str(error))
    except CloudError as error:
        return Unreadable("CloudError", str(error), error.retry_after_s)
    except Exception as error:
        return Unreadable("NotUnderstood", str(not_understood(error)))
