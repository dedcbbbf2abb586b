"""Child process that runs a lab's function, which may crash, hang or hold the GIL.

The agent starts it and controls it over a socket. The lab's module, and with it the connection to
the machine, stays loaded between jobs.
"""

from __future__ import annotations

import ctypes
import importlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from io import TextIOWrapper
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, Final, NoReturn

from qwicket.agents.circuits import UnknownCircuit, unpack
from qwicket.agents.outcomes import InvalidOutcome, encode_outcomes
from qwicket.agents.program import Failed, Outcome, Program, Stopped

Run = Callable[[Program], Outcome | Sequence[Outcome]]

# Kinds of messages. The agent sends the first two, the process the others. Before READY, FAILED
# comes with the reason why the module cannot be loaded, later with a `Failed` and seconds.
RUN: Final = "run"
STOP: Final = "stop"
READY: Final = "ready"
PROGRESS: Final = "progress"
DONE: Final = "done"
FAILED: Final = "failed"
STOPPED: Final = "stopped"

_PR_SET_PDEATHSIG: Final = 1
"""Option of prctl (linux/prctl.h): the signal that this process gets when its parent dies."""
_END_S: Final = 4.0
"""Seconds for the function to end after the agent closed the socket; a supervisor waits for 5 s."""

_log = logging.getLogger("qwicket.agent")


class CannotLoad(Exception):
    """The reference is malformed, or names no module or function; the text says which."""


def main(arguments: list[str]) -> NoReturn:
    """Serve the agent until it closes the socket or dies.

    Args:
        arguments: File descriptor of the socket, process id of the agent, "module:function".
    """
    descriptor, owner, reference = arguments
    _die_with(int(owner))
    for each in (signal.SIGINT, signal.SIGTERM):
        # The agent decides when this process ends. Children of the lab's function would inherit
        # ignored signals, but not handlers.
        signal.signal(each, lambda _number, _frame: None)
    channel = Connection(int(descriptor))
    if isinstance(sys.stdout, TextIOWrapper):  # what the function prints into a file or a pipe
        sys.stdout.reconfigure(line_buffering=True)
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    try:
        run = load(reference)
    except CannotLoad as error:
        channel.send((FAILED, str(error)))
        os._exit(1)
    except Exception as error:
        _log.exception("%s cannot be loaded", reference)  # an error in the lab's own module
        channel.send((FAILED, f"{type(error).__name__}: {error}"))
        os._exit(1)
    channel.send((READY,))
    _serve(channel, run)


def load(reference: str) -> Run:
    """Load "module:function", searching the working folder first.

    Raises:
        CannotLoad: The reference is malformed, or the module or function does not exist.
    """
    module, _, name = reference.partition(":")
    if not module or not name:
        raise CannotLoad(f"{reference!r} is not of the form module:function")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # an import of the lab's module itself is missing
        raise CannotLoad(
            f"there is no module {error.name} in the working folder or on Python's path"
        ) from None
    found = getattr(loaded, name, None)
    if not callable(found):
        near = get_close_matches(name, [each for each in vars(loaded) if each[0] != "_"], 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise CannotLoad(f"{module} has no function {name}{hint}")
    run: Run = found
    return run


def _serve(channel: Connection, run: Run) -> NoReturn:
    inbox: SimpleQueue[Program | None] = SimpleQueue()
    stop = threading.Event()
    threading.Thread(target=_listen, args=(channel, inbox, stop), daemon=True).start()
    sending = threading.Lock()

    def send(*message: Any) -> None:
        with sending:  # a lab's function may report progress from several threads
            channel.send(message)

    while (program := inbox.get()) is not None:
        connected = replace(
            program, _report=lambda done, text: send(PROGRESS, done, text), _stop=stop
        )
        send(*_result_message(run, connected))
    sys.exit(0)  # not `os._exit`, because the lab's module may clean up


def _listen(
    channel: Connection, inbox: SimpleQueue[Program | None], stop: threading.Event
) -> NoReturn:
    try:
        while True:
            kind, *rest = channel.recv()
            if kind == STOP:
                stop.set()
            else:
                stop.clear()  # here, because a STOP may follow at once
                inbox.put(Program(**rest[0]))
    except (EOFError, OSError):
        stop.set()
        inbox.put(None)
    time.sleep(_END_S)
    os._exit(0)


def _result_message(run: Run, program: Program) -> tuple[Any, ...]:
    """Run the lab's function; return the message that ends the job."""
    began = time.monotonic()
    try:
        circuits = unpack(program.family, program.packed, program.shots)
        program = replace(program, circuits=circuits)
        outcomes = run(program)
        seconds = time.monotonic() - began
        return DONE, encode_outcomes(outcomes, program, seconds), seconds
    except Stopped:
        return (STOPPED,)
    except InvalidOutcome as error:
        _log.error("job %s: %s", program.job, error)
        failed = Failed(f"The device returned an unsuitable result: {error}.", "bad_outcome")
    except UnknownCircuit as error:
        _log.error("job %s: %s", program.job, error)
        failed = Failed("The device cannot read this program; see the lab's log.", "device_failed")
    except Exception:
        # Its text may contain paths, so only the log shows it, not the user.
        _log.exception("job %s failed", program.job)
        failed = Failed("The device reported an error; see its agent's log.", "device_failed")
    return FAILED, failed, time.monotonic() - began


def _die_with(owner: int) -> None:
    """On Linux, end with the agent, however it ends: nothing may control the machine unattended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
    if os.getppid() != owner:  # the agent died before the signal was requested
        os._exit(0)
