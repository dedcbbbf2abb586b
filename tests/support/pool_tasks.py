"""Functions that tests run in worker processes, which find this module through PYTHONPATH."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import itertools
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path

import msgspec

_PR_SET_PDEATHSIG = 1


def announce(path: str) -> None:
    """Show the test that the work runs, and in which process; by a link: workers write no files."""
    draft = Path(f"{path}.{os.getpid()}")
    draft.symlink_to(str(os.getpid()))
    draft.rename(path)


def pid(*_: object) -> int:
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
    """Never return from one C call, which never releases the interpreter lock."""
    announce(path)
    sum(itertools.repeat(0))


def spin_without_kernel_guard(path: str) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(0))
    spin(path)


def spin_in_c_without_kernel_guard(path: str) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(0))
    spin_in_c(path)


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


class Referable(msgspec.Struct, weakref=True):
    """A result that can be referred to weakly."""

    value: int


def fail(message: str) -> None:
    raise ValueError(message)


def fail_with(thing: Thing) -> None:
    raise ValueError(thing)


def make_thing() -> Referable:
    return Referable(1)


def fail_without_pickle() -> None:
    raise NoPickle(1, 2)


def fail_without_words() -> None:
    raise Wordless


def no_plain_value() -> object:
    return threading.Lock()


def send_raw(data: bytes) -> None:
    """Send these bytes to the owner, as hostile work that controls the process can."""
    write_to_owner(data)
    signal.pause()


def send_raw_and_end(data: bytes) -> None:
    write_to_owner(data)
    os._exit(0)


def write_to_owner(data: bytes) -> None:
    for number in open_files():
        with contextlib.suppress(OSError):
            if str(Path(f"/proc/self/fd/{number}").readlink()).startswith("socket:"):
                os.write(number, data)


def write_file(path: str, size: int) -> None:
    with Path(path).open("wb", buffering=0) as file:
        file.write(bytes(size))
        file.write(b"more")


def open_many(number: int) -> int:
    with contextlib.ExitStack() as files:
        return len([files.enter_context(Path("/dev/null").open("rb")) for _ in range(number)])


def environment() -> dict[str, str]:
    return dict(os.environ)


def status() -> dict[str, str]:
    """Return the kernel's status of the process, and its limit on CPU time."""
    lines = Path("/proc/self/status").read_text().splitlines()
    found = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    found["cpu_s"] = str(resource.getrlimit(resource.RLIMIT_CPU)[0])
    return found


def fork_and_hold(path: str, number: int) -> None:
    """Leave children that spin, each announced, and spin as well."""
    for child in range(number):
        if os.fork() == 0:
            spin(f"{path}.{child}")
    spin(path)


def sleep(path: str) -> None:
    announce(path)
    signal.pause()


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
        "group": os.getpgid(0),
        "core": resource.getrlimit(resource.RLIMIT_CORE),
        "sigterm": signal.getsignal(signal.SIGTERM) is signal.SIG_DFL,
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "imported": sorted(name for name in sys.modules if name.startswith(("qwicket", "asyncio"))),
    }


_warmed: list[int] = []


def warm_up() -> None:
    _warmed.append(os.getpid())


def warmed() -> list[int]:
    return _warmed


WARM_FOLDER = "PYTHONTESTWARMFOLDER"
"""Named PYTHON…, because workers get only a few environment variables, Python's among them."""
WARM_S = 2.0
GATE = "PYTHONTESTGATE"


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


def warm_without_threads() -> None:
    """Let every worker fail at its start, as if there were too many threads."""

    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    setattr(threading.Thread, "start", fail)  # noqa: B010 - in a process of its own


Job = tuple[str, bytes, bytes]


def engine(jobs: list[Job]) -> list[tuple[list[tuple[bytes, bytes]], float]]:
    """Give each job its own circuits back, as an outcome's body."""
    return [([(circuits, hashlib.sha256(circuits).digest())], 0.5) for _, circuits, _ in jobs]


def lying_engine(jobs: list[Job]) -> list[tuple[list[tuple[bytes, bytes]], float]]:
    """Give bodies under the digest of others."""
    return [([(circuits, hashlib.sha256(b"other").digest())], 0.5) for _, circuits, _ in jobs]


def endless_list(jobs: list[Job]) -> object:
    """Give lists in lists, deeper than anything that is decoded."""
    found: object = jobs[0][1]
    for _ in range(900):
        found = [found]
    return found


def stingy_engine(jobs: list[Job]) -> list[tuple[list[tuple[bytes, bytes]], float]]:
    return engine(jobs)[1:]


def endless_engine(jobs: list[Job]) -> None:
    spin(jobs[0][1].decode())


def held_engine(jobs: list[Job]) -> list[tuple[list[tuple[bytes, bytes]], float]]:
    """Work until the test makes the file that ends in `.release`."""
    path = jobs[0][1].decode()
    hold(path, f"{path}.release")
    return engine(jobs)


def crashing_engine(jobs: list[Job]) -> None:
    crash()


def greedy_engine(jobs: list[Job]) -> None:
    allocate(8 << 30)
