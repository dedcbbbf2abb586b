"""What the checks of the event loop measure."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from support.event_loop import assert_loop_stays_free


@pytest.fixture
def late(tmp_path: Path) -> Iterator[Any]:
    """A server that logs the callback of a request only when the next one comes."""
    log = tmp_path / "log"
    log.touch()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/livez":
                with log.open("a") as file:
                    file.write("qwicket.loop 250.0 ms of CPU in <Task>\n")
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}", log=log)
        server.shutdown()
        thread.join()


def test_a_callback_that_ends_after_its_answer_is_measured(late: Any) -> None:
    with pytest.raises(AssertionError, match="kept"):
        assert_loop_stays_free(late, lambda: httpx.get(late.url))


@pytest.mark.parametrize("line", ["400000 calls, 0 bytes", "5 calls, 1500000 bytes"])
def test_a_callback_that_does_much_is_found_on_any_machine(late: Any, line: str) -> None:
    def send() -> None:
        late.log.write_text(f"counted {line} in <Task>\n")

    with pytest.raises(AssertionError, match=line):
        assert_loop_stays_free(late, send)
