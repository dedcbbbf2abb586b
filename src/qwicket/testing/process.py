"""Process of a test bed, which ends with the process that started it."""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import queue
import secrets
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final, Self, TypeVar

from qwicket.extras import require
from qwicket.testing.cloud import Cloud
from qwicket.testing.errors import TestBedError

F = TypeVar("F", bound=Callable[..., Any])

_ANNOUNCEMENT: Final = "Qwicket listens on "
_SECRET: Final = "QWICKET_TESTING_SECRET"  # noqa: S105 - a name
_START_S: Final = 60.0
_STOP_S: Final = 20.0
_LINES: Final = 200
"""Lines of the server's log that are kept."""


def server(
    *,
    port: int = 0,
    workers: int = 1,
    seed: int | None = None,
    state: str | Path | None = None,
    strict: bool | None = None,
) -> Server:
    """Return a test bed to enter with `with` or `async with`, or to decorate a function with.

    Args:
        port: Port on 127.0.0.1; 0 takes a free one.
        workers: Processes that run jobs.
        seed: Makes ids, and seeds of jobs, repeatable; None for unpredictable ones.
        state: File that `Cloud.save` wrote, to begin with.
        strict: True refuses query parameters and fields of bodies that no route declares; None
            reports them as warnings in the journal; False ignores them.

    Raises:
        NotInstalled: The extra `server` is not installed.
    """
    require("qwicket.testing", "server")
    return Server(port=port, workers=workers, seed=seed, state=state, strict=strict)


def attach(url: str, secret: str) -> Cloud:
    """Return a test bed that already runs, such as a container service.

    Args:
        url: Address of the test bed.
        secret: Its value of QWICKET_TESTING_SECRET.

    Raises:
        TestBedError: The address is invalid.
    """
    return Cloud(url, secret)


class Server:
    """Test bed in a process of its own, as a context manager and a decorator.

    A decorated function or coroutine function gets the test bed as its argument `cloud`.

    Args:
        port: See `server`.
        workers: Processes that run jobs.
        seed: See `server`.
        state: See `server`.
        strict: See `server`.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        workers: int = 1,
        seed: int | None = None,
        state: str | Path | None = None,
        strict: bool | None = None,
    ) -> None:
        self._strict = strict
        self._port = port
        self._workers = workers
        self._seed = seed
        self._state = state
        self._process: subprocess.Popen[str] | None = None
        self._cloud: Cloud | None = None
        self._log: deque[str] = deque(maxlen=_LINES)

    def start(self) -> Cloud:
        """Start the process; return when it listens.

        Raises:
            TestBedError: It did not start; the text has its log.
        """
        secret = secrets.token_urlsafe(24)
        command = [sys.executable, "-m", "qwicket.testing", "--until-input-ends"]
        command += ["--port", str(self._port), "--workers", str(self._workers)]
        if self._seed is not None:
            command += ["--seed", str(self._seed)]
        if self._state is not None:
            command += ["--state", str(Path(self._state).absolute())]
        if self._strict is not None:
            command.append("--strict" if self._strict else "--no-strict")
        kept = {name: each for name, each in os.environ.items() if not name.startswith("QWICKET_")}
        self._process = subprocess.Popen(  # noqa: S603 - our own
            command,
            env={**kept, _SECRET: secret},
            cwd=tempfile.gettempdir(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # Ctrl-C reaches only the tests, which then stop this process
        )
        address: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        assert self._process.stderr is not None
        reader = threading.Thread(
            target=self._read, args=(self._process.stderr, address), daemon=True
        )
        reader.start()
        try:
            url = address.get(timeout=_START_S)
        except queue.Empty:
            url = None
        if url is None:
            self.stop()
            raise TestBedError(f"The test bed did not start:\n{self.log}")
        self._cloud = Cloud(url, secret)
        return self._cloud

    def stop(self) -> None:
        """Stop the process, which removes its data.

        Raises:
            subprocess.TimeoutExpired: The process did not end within 20 s, and was killed.
        """
        process, self._process = self._process, None
        if self._cloud is not None:
            self._cloud.close()
        if process is None:
            return
        with contextlib.suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()
        try:
            process.wait(_STOP_S)
        except BaseException:  # a timeout, or a second Ctrl-C
            process.kill()
            process.wait()
            raise
        finally:
            if process.stderr is not None:
                process.stderr.close()

    @property
    def pid(self) -> int:
        """Id of the process.

        Raises:
            TestBedError: The test bed does not run.
        """
        if self._process is None:
            raise TestBedError("The test bed does not run.")
        return self._process.pid

    @property
    def log(self) -> str:
        """Newest lines of the server's log, at most 200."""
        return "".join(self._log)

    def _read(self, log: IO[str], address: queue.SimpleQueue[str | None]) -> None:
        """Read the log until its end: a full pipe would block the server."""
        with contextlib.suppress(ValueError):  # closed meanwhile
            for line in log:
                self._log.append(line)
                if line.startswith(_ANNOUNCEMENT):
                    address.put(line.removeprefix(_ANNOUNCEMENT).strip())
        address.put(None)

    def __enter__(self) -> Cloud:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Cloud:
        import asyncio

        return await asyncio.to_thread(self.start)

    async def __aexit__(self, *_: object) -> None:
        import asyncio

        await asyncio.to_thread(self.stop)

    def __call__(self, function: F) -> F:
        """Run each call of a function with a test bed of its own."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def run_async(*args: Any, **kwargs: Any) -> Any:
                async with self._copy() as cloud:
                    return await function(*args, cloud=cloud, **kwargs)

            return _without_cloud(run_async, function)

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with self._copy() as cloud:
                return function(*args, cloud=cloud, **kwargs)

        return _without_cloud(run, function)

    def _copy(self) -> Self:
        return type(self)(
            port=self._port,
            workers=self._workers,
            seed=self._seed,
            state=self._state,
            strict=self._strict,
        )


def _without_cloud(wrapper: Any, function: F) -> F:
    """Hide the argument `cloud` in the signature, because pytest would look for such a fixture."""
    signature = inspect.signature(function)
    kept = [each for name, each in signature.parameters.items() if name != "cloud"]
    wrapper.__signature__ = signature.replace(parameters=kept)
    return wrapper  # type: ignore[no-any-return]  # it has the function's type but for `cloud`
