"""The configuration of nginx that the how-to shows, in router of a live server."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from support.certificates import Certificate, certificate
from support.installed import installed
from support.leftovers import name_child
from support.programs import BELL
from support.server import LiveServer
from support.snippets import blocks
from support.waiting import until

SITE, LOG, _SEVERAL = (
    block.text for block in blocks("docs/howto/nginx.md") if block.language == "nginx"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Proxy:
    """nginx as the page has it, but for its port, its certificate and where its files are."""

    def __init__(self, folder: Path) -> None:
        program = installed("nginx")
        self.certificate: Certificate = certificate(folder)
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        options = ("--public-url", self.url, "--trusted-proxy", "127.0.0.1/32")
        self.server = LiveServer(folder / "server", *options)
        self.log = folder / "access.log"
        live = "/etc/letsencrypt/live/lab.example.org"
        text = (SITE + LOG).replace("listen 443", f"listen 127.0.0.1:{self.port}")
        text = text.replace("lab.example.org;", "127.0.0.1;")
        text = text.replace("http://127.0.0.1:8000", self.server.url)
        text = text.replace(f"{live}/fullchain.pem", str(self.certificate.chain))
        text = text.replace(f"{live}/privkey.pem", str(self.certificate.key))
        text = text.replace("/var/log/nginx/access.log", str(self.log))
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "".join(f"{kind}_temp_path {folder / kind};\n" for kind in kinds)
        conf = folder / "nginx.conf"
        conf.write_text(
            f"pid {folder / 'pid'};\nerror_log {folder / 'error.log'};\n"
            f"events {{}}\nhttp {{\n{temporary}{text}}}\n"
        )
        command = [program, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(conf)]
        checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
        assert "warn" not in checked.stderr
        self._process = subprocess.Popen([*command, "-g", "daemon off;"])
        name_child(self._process.pid)
        until(self._listens, "nginx listens", timeout_s=20)

    def _listens(self) -> bool:
        assert self._process.poll() is None
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate.authority))

    def client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.server.token()}"}
        return httpx.Client(base_url=self.url, headers=headers, verify=self.trust, timeout=60)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)
        assert self.server.stop() == 0


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    started = Proxy(tmp_path_factory.mktemp("nginx"))
    yield started
    started.stop()


def test_a_job_travels_through_nginx_and_answers_name_its_address(proxy: Proxy) -> None:
    with proxy.client() as client:
        made = client.post("/v1/jobs", json={"device": "simulator", "program": BELL})
        assert made.headers["location"].startswith(f"{proxy.url}/v1/jobs/")
        job = client.get(made.headers["location"], params={"wait": 30}).json()
        assert job["state"] == "completed"
        assert client.get("/docs").status_code == 200
        assert client.get("/metrics").status_code == 403  # not from this machine any more


def test_a_stream_of_events_is_not_held_back(proxy: Proxy) -> None:
    with proxy.client() as client, client.stream("GET", "/v1/events") as stream:
        lines = stream.iter_lines()
        with proxy.client() as other:
            job = other.post("/v1/jobs", json={"device": "simulator", "program": BELL}).json()
        for line in lines:  # while the stream is open
            if job["id"] in line:
                break


def test_a_websocket_goes_through(proxy: Proxy) -> None:
    url = f"wss://127.0.0.1:{proxy.port}/ibm/api/jobs/none/status/v/1"
    with connect(url, ssl=proxy.trust) as socket_:
        assert socket_.protocol.state.name == "OPEN"


def test_a_body_as_large_as_the_server_takes_is_the_servers_to_refuse(proxy: Proxy) -> None:
    with proxy.client() as client:
        over = client.post("/v1/jobs", content=b" " * ((16 << 20) + 1))
    assert over.status_code == 413
    assert over.json()["code"] == "body_too_large"


def test_what_a_client_says_of_its_own_address_goes_no_further(proxy: Proxy) -> None:
    """Each guess claims another origin; all of them are counted as one address's."""
    with proxy.client() as client:
        statuses = [
            client.get(
                "/v1/account",
                headers={
                    "Authorization": f"Bearer qw_{number:043}",
                    "X-Forwarded-For": f"10.0.0.{number}",
                },
            ).status_code
            for number in range(140)
        ]
    assert statuses[0] == 401
    assert 429 in statuses


def test_no_query_is_in_the_log(proxy: Proxy) -> None:
    with proxy.client() as client:
        client.get("/qlued/api/v2/rydberg/get_config/?token=a-secret")
    text = until(lambda: proxy.log.exists() and proxy.log.read_text(), "the log is written")
    until(lambda: "get_config" in proxy.log.read_text(), "the request is in the log")
    assert "a-secret" not in proxy.log.read_text()
    assert text


def test_pages_show_the_address_of_the_proxy(proxy: Proxy) -> None:
    with proxy.client() as client:
        page = client.get("/docs").text
    assert f"{proxy.url}/v1/jobs" in page
    assert proxy.server.url not in page
