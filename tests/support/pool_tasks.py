"""What tests have worker processes do. Workers find it through PYTHONPATH."""

from __future__ import annotations

import ctypes
import itertools
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def announce(path: str) -> None:
    """Tell the test, in one step, that the work runs and in which process."""
    draft = Path(f"{path}.{os.getpid()}")
    draft.write_text(str(os.getpid()))
    draft.rename(path)


def pid() -> int:
    return os.getpid()


def echo(value: object) -> object:
    return value


def blob(size: int) -> bytes:
    return b"q" * size


def spend(seconds: float, value: int) -> tuple[int, int]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return value, os.getpid()


def spin(path: str) -> None:
    announce(path)
    while True:
        pass


def complain(text: bytes) -> int:
    """Write to standard error as native code does."""
    while text:
        text = text[os.write(2, text) :]
    return os.getpid()


def complain_and_abort(text: bytes) -> None:
    complain(text)
    os.abort()


def hold(path: str, release: str) -> int:
    """Work until the test makes the file `release`."""
    announce(path)
    while not Path(release).exists():
        pass
    return os.getpid()


def spin_in_c(path: str) -> None:
    """Never return from one C call, which never lets go of the interpreter lock."""
    announce(path)
    sum(itertools.repeat(0))


def spin_without_kernel_guard(path: str) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(0))
    spin(path)


class NoPickle(Exception):
    def __init__(self, one: int, two: int) -> None:
        self.lock = threading.Lock()
        super().__init__(f"{one} and {two}")


class Wordless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Thing:
    """Can be referred to weakly."""


class Poison:
    """Can be pickled, but not unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (int, ("poison",))


def fail(message: str) -> None:
    raise ValueError(message)


def fail_with(thing: Thing) -> None:
    raise ValueError(thing)


def make_thing() -> Thing:
    return Thing()


def fail_without_pickle() -> None:
    raise NoPickle(1, 2)


def fail_without_words() -> None:
    raise Wordless


def no_pickle() -> object:
    return threading.Lock()


def poison() -> object:
    return Poison()


def leave(status: int) -> None:
    sys.exit(status)


def vanish(status: int) -> None:
    os._exit(status)


def signal_self(number: int) -> None:
    os.kill(os.getpid(), number)
    signal.pause()


def crash() -> None:
    ctypes.string_at(0)


def allocate(size: int) -> int:
    return len(bytearray(size))


def allocate_state(n_qubits: int) -> int:
    from qulacs import QuantumState

    return int(QuantumState(n_qubits).get_qubit_count())


def open_files() -> dict[int, str]:
    return {
        int(link.name): str(link.readlink())
        for link in Path("/proc/self/fd").iterdir()
        if link.is_symlink()
    }


def surroundings() -> dict[str, object]:
    return {
        "threads": (os.environ["OMP_NUM_THREADS"], os.environ["QULACS_NUM_THREADS"]),
        "session": os.getsid(0),
        "core": resource.getrlimit(resource.RLIMIT_CORE),
        "sigterm": signal.getsignal(signal.SIGTERM) is signal.SIG_DFL,
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "imported": sorted(name for name in sys.modules if name.startswith(("qwicket", "asyncio"))),
    }


_warmed: list[int] = []


def warm() -> None:
    _warmed.append(os.getpid())


def warmed() -> list[int]:
    return _warmed


WARM_FOLDER = "POOL_TASKS_WARM_FOLDER"
WARM_S = 2.0
GATE = "POOL_TASKS_GATE"


def warm_slowly() -> None:
    """Stand in for heavy imports; leave a file named by the process when warm."""
    time.sleep(WARM_S)
    Path(os.environ[WARM_FOLDER], str(os.getpid())).touch()


def warm_when_let() -> None:
    """Become warm when the test makes the file `GATE`."""
    while not Path(os.environ[GATE]).exists():
        time.sleep(0.002)


def warm_badly() -> None:
    raise RuntimeError("cannot warm up")


def warm_for_ever() -> None:
    signal.pause()


Job = tuple[str, bytes, bytes]


def engine(jobs: list[Job]) -> list[tuple[Job, float]]:
    return [(job, 0.5) for job in jobs]


def endless_engine(jobs: list[Job]) -> None:
    spin(jobs[0][1].decode())
