"""Leak guard: refuses connections of this process and its children to other machines."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import subprocess
import sys
import threading
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from qwicket.registrations import UsualHost, clients
from qwicket.testing.errors import LeakError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


HOSTS: Final[Mapping[str, UsualHost]] = {
    pattern: host for _, each in clients() for pattern, host in each.hosts.items()
}
"""Clients by pattern of the host; the first pattern that matches counts."""
_LOCAL: Final = ("localhost", "localhost.localdomain", "ip6-localhost", "")
_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy")
_NO_PROXIES: Final = ("NO_PROXY", "no_proxy")
_LOCAL_HOSTS: Final = "localhost,127.0.0.1,::1"
_active: Final[list[Guard]] = []
"""Guards whose block is running, the innermost last."""
_EVENTS: Final = {
    "socket.getaddrinfo": 0,
    "socket.gethostbyname": 0,
    "socket.connect": 1,
    "socket.sendto": 1,
    "socket.sendmsg": 1,
}
"""Audit events of Python, with the index of the argument that has the address."""


class Leak(NamedTuple):
    """One refused attempt.

    Attributes:
        host: Host that was to be reached.
        by: `this process` or `a child process`.
    """

    host: str
    by: str


class Guard:
    """Context manager that refuses connections to other machines with `LeakError`.

    Clients often swallow the error, so leaving the block raises it again. Not refused are sockets
    that C code opens without Python, such as uvloop's, and child processes that ignore
    `HTTPS_PROXY`; forked children have this guard.

    Attributes:
        leaks: Refused attempts, in their order.

    Raises:
        LeakError: At the end of the block, if an attempt was refused and there is no other error.
    """

    def __init__(self) -> None:
        self.leaks: list[Leak] = []
        self._proxy: _Proxy | None = None
        self._popen: Any = None

    def __enter__(self) -> Self:
        _install_hook()
        self._proxy = _Proxy(self)
        self._pid = os.getpid()
        _active.append(self)
        self._set_environment(self.environment)
        self._popen = subprocess.Popen.__init__
        subprocess.Popen.__init__ = self._with_proxy(self._popen)  # type: ignore[method-assign]  # undone at the end
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        subprocess.Popen.__init__ = self._popen  # type: ignore[method-assign]  # as it was
        _active.remove(self)
        self._set_environment(_active[-1].environment if _active else {})
        if self._proxy is not None:
            self._proxy.close()
        if self.leaks and kind is None:
            raise LeakError("\n".join(text(each) for each in self.leaks))

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables with which programs use a proxy that refuses other machines."""
        assert self._proxy is not None
        return {
            **dict.fromkeys(_PROXIES, self._proxy.url),
            **dict.fromkeys(_NO_PROXIES, _LOCAL_HOSTS),
        }

    def record_leak(self, host: str, by: str = "this process") -> LeakError:
        """Add an attempt to `leaks`; return its error."""
        leak = Leak(host, by)
        self.leaks.append(leak)
        if os.getpid() != self._pid and self._proxy is not None:  # a forked child
            self._proxy.report(host)
        return LeakError(text(leak))

    def _set_environment(self, proxies: Mapping[str, str]) -> None:
        """Set variables of children that inherit the environment, as those of `multiprocessing` do.

        `os.environ` stays as it is: with these proxies in it, this process would connect to the
        proxy instead of the host that it names.
        """
        for name in (*_PROXIES, *_NO_PROXIES):
            value = proxies.get(name, os.environ.get(name))
            if value is None:
                os.unsetenv(name)
            else:
                os.putenv(name, value)

    def _with_proxy(self, original: Any) -> Any:
        def start(process: Any, *args: Any, **kwargs: Any) -> None:
            given = kwargs.get("env")
            kwargs["env"] = {**(os.environ if given is None else given), **self.environment}
            original(process, *args, **kwargs)

        return start


def text(leak: Leak) -> str:
    """Return the text of an attempt: the client, the host and the remedy, if known."""
    for pattern, vendor in HOSTS.items():
        if fnmatchcase(leak.host.lower().rstrip("."), pattern):
            return f"{vendor.client} tried {leak.host}: {vendor.remedy}"
    return f"{leak.by} tried {leak.host}, which is not this machine"


def is_local(host: str) -> bool:
    """Return whether a host is this machine, without resolving its name."""
    name = host.lower().rstrip(".").partition("%")[0].strip("[]")
    if name in _LOCAL or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


_hook_lock: Final = threading.Lock()
_has_hook: Final[list[bool]] = []


def _install_hook() -> None:
    """Add the audit hook once: Python cannot remove one, and it does nothing without a guard."""
    with _hook_lock:
        if not _has_hook:
            _has_hook.append(True)
            sys.addaudithook(_audit)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _active or event not in _EVENTS:
        return
    host = arguments[_EVENTS[event]]
    if isinstance(host, tuple):
        host = host[0] if host else None
    elif event not in ("socket.getaddrinfo", "socket.gethostbyname"):
        return  # the path of a Unix socket
    if isinstance(host, bytes):
        host = host.decode("latin-1")
    if isinstance(host, str) and not is_local(host):
        raise _active[-1].record_leak(host)


class _Proxy:
    """Proxy that refuses every request, for child processes.

    Args:
        guard: Guard that records the attempts.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._address: tuple[str, int] = self._listener.getsockname()
        self.url = f"http://127.0.0.1:{self._address[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def report(self, host: str) -> None:
        """Record an attempt of a forked child, whose own list of leaks ends with it."""
        with contextlib.suppress(OSError), socket.create_connection(self._address, 5) as sent:
            sent.sendall(f"CONNECT {host}:0 HTTP/1.1\r\n\r\n".encode("latin-1", "replace"))
            sent.recv(1)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        for client in self._clients():
            with contextlib.suppress(OSError), client:
                client.settimeout(5)
                with client.makefile("rwb") as stream:
                    words = stream.readline(8192).decode("latin-1").split()
                    detail = str(self._guard.record_leak(_host(words), "a child process"))
                    body = detail.encode("utf-8")
                    head = "HTTP/1.1 403 Refused by the leak guard of qwicket.testing\r\n"
                    head += f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
                    stream.write(head.encode() + body)

    def _clients(self) -> Iterator[socket.socket]:
        while True:
            try:
                yield self._listener.accept()[0]
            except OSError:
                return


def _host(words: list[str]) -> str:
    """Return the host of a request to a proxy: `CONNECT host:443` or `GET http://host/path`."""
    target = words[1] if len(words) > 1 else "an unknown address"
    target = target.partition("://")[2] or target
    return (
        target.partition("/")[0].rpartition("@")[2].rpartition(":")[0] or target.partition("/")[0]
    )
