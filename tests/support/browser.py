"""A real browser without a window, controlled by the Chrome DevTools protocol."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from support.installed import installed
from support.leftovers import register_child
from support.waiting import until

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-port=0"),
)


class Page:
    """One tab, which records its requests and errors."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._last = 0
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self._is_loaded = False
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its answer; record the events that arrive before it."""
        self._last += 1
        self._socket.send(json.dumps({"id": self._last, "method": method, "params": params}))
        while True:
            message = self._next()
            if message.get("id") == self._last:
                assert "error" not in message, message
                return dict(message["result"])

    def open(self, url: str, *, width: int, height: int = 900, scheme: str = "light") -> None:
        """Go to a page and wait for all of it."""
        self.set_screen(width, scheme, height=height)
        self._is_loaded = False
        self.asked, self.complaints = [], []
        self.call("Page.navigate", url=url)
        while not self._is_loaded:
            self._next()

    def set_screen(self, width: int, scheme: str, *, height: int = 900) -> None:
        """Change the size of the screen and its colours, also of the page that is open."""
        size = {"width": width, "height": height}
        self.call("Emulation.setDeviceMetricsOverride", **size, deviceScaleFactor=1, mobile=False)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def run(self, script: str) -> Any:
        """Return what an expression gives in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Wait until an expression is true in the page."""
        until(lambda: self.run(condition) or None, condition, timeout_s=30)

    def press(self, key: str, text: str = "") -> None:
        """Press and release a key, such as `Tab`; Enter and Space need their text, too."""
        codes = {"Tab": 9, "Enter": 13, " ": 32, "ArrowDown": 40}
        code = codes.get(key, 0)
        named = {"key": key, "code": "Space" if key == " " else key}
        for kind in ("keyDown", "keyUp"):
            more = {"text": text} if text and kind == "keyDown" else {}
            self.call(
                "Input.dispatchKeyEvent", type=kind, windowsVirtualKeyCode=code, **named, **more
            )

    def write(self, text: str) -> None:
        """Write into the field that has the focus."""
        self.call("Input.insertText", text=text)

    def wait_for_load(self, act: Callable[[], None]) -> None:
        """Do what leads to another page, and wait for all of it."""
        self._is_loaded = False
        act()
        while not self._is_loaded:
            self._next()

    def picture(self, path: Path) -> None:
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=False)
        path.write_bytes(base64.b64decode(answer["data"]))

    def _next(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._socket.recv(timeout=30))
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.asked.append(message["params"]["request"]["url"])
            case "Log.entryAdded":
                self.complaints.append(message["params"]["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(message["params"]))
            case "Page.loadEventFired":
                self._is_loaded = True
        return message


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """Start one with an empty profile in a folder; it ends with the block."""
    program = installed("chromium", "chromium-browser")
    command = [program, *FLAGS, f"--user-data-dir={folder}", "about:blank"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    register_child(process.pid)
    port = folder / "DevToolsActivePort"
    try:
        until(lambda: port.exists() and port.read_text().count("\n"), "it listens", timeout_s=60)
        number = port.read_text().split()[0]
        with connect(_tab(number), max_size=64 << 20) as socket:
            yield Page(socket)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def separate_pages(folder: Path, number: int) -> Iterator[list[Page]]:
    """Open tabs of a browser that runs in a folder, each with cookies of its own."""
    port, path = (folder / "DevToolsActivePort").read_text().split()
    at = f"ws://127.0.0.1:{port}"
    with ExitStack() as stack:
        socket = stack.enter_context(connect(at + path, max_size=64 << 20))
        pages = []
        for place in range(number):
            context = _answer(socket, 2 * place, "Target.createBrowserContext")
            given = {"url": "about:blank", "browserContextId": context["browserContextId"]}
            made = _answer(socket, 2 * place + 1, "Target.createTarget", **given)
            tab = connect(f"{at}/devtools/page/{made['targetId']}", max_size=64 << 20)
            pages.append(Page(stack.enter_context(tab)))
        yield pages


def _answer(socket: ClientConnection, number: int, method: str, **params: Any) -> dict[str, Any]:
    """Send a command to the browser itself, and return its answer."""
    socket.send(json.dumps({"id": number, "method": method, "params": params}))
    while True:
        message: dict[str, Any] = json.loads(socket.recv(timeout=30))
        if message.get("id") == number:
            assert "error" not in message, message
            return dict(message["result"])


def _tab(port: str) -> str:
    import httpx

    def found() -> str | None:
        tabs = httpx.get(f"http://127.0.0.1:{port}/json/list", timeout=30).json()
        return next((tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"), None)

    return until(found, "it has a tab", timeout_s=30)
