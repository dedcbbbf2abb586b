"""The files of `deploy/` for nginx and Caddy, each in front of a live server."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from qwicket.clients.ibm_qx import IBMQXClient
from qwicket.clients.ibm_qx.stream import statuses
from support.certificates import Certificate, certificate
from support.ibm import DIALECT, SIMULATOR, qobj
from support.installed import installed
from support.leftovers import register_child
from support.ports import held_port
from support.programs import BELL
from support.server import LiveServer
from support.snippets import ROOT, blocks
from support.waiting import until

DEPLOY = ROOT / "deploy"
PROXIES = ("nginx", "caddy")


class Proxy:
    """A proxy with its file of `deploy/`, but for its port, its certificate and its log."""

    def __init__(self, name: str, folder: Path) -> None:
        self._program = installed(name)
        self._folder = folder
        self.certificate: Certificate = certificate(folder)
        self.port = held_port()
        self.url = f"https://127.0.0.1:{self.port}"
        options = ("--public-url", self.url, "--trusted-proxy", "127.0.0.1/32")
        self.log = folder / "access.log"
        self.server = LiveServer(folder / "server", *options)
        try:
            command = getattr(self, f"_{name}")()
            self._process = subprocess.Popen(command, env=self._env, stderr=subprocess.DEVNULL)
            register_child(self._process.pid)
            until(self._listens, f"{name} listens")
        except BaseException:
            self.server.stop()
            raise

    @property
    def _env(self) -> dict[str, str]:
        """Caddy keeps its state in the user's home."""
        return {"PATH": os.environ["PATH"], "HOME": str(self._folder)}

    def _nginx(self) -> list[str]:
        live = "/etc/letsencrypt/live/lab.example.org"
        text = (DEPLOY / "nginx.conf").read_text()
        text = text.replace("listen 443", f"listen 127.0.0.1:{self.port}")
        text = text.replace("lab.example.org;", "127.0.0.1;")
        text = text.replace("127.0.0.1:8000", self.server.url.removeprefix("http://"))
        # The second of two servers, which is down.
        text = text.replace("# server 10.0.0.12:8000", f"server 127.0.0.1:{held_port()}")
        text = text.replace(f"{live}/fullchain.pem", str(self.certificate.chain))
        text = text.replace(f"{live}/privkey.pem", str(self.certificate.key))
        text = text.replace("/var/log/nginx/access.log", str(self.log))
        command = nginx(self._program, self._folder, text)
        return [*command, "-g", "daemon off;"]

    def _caddy(self) -> list[str]:
        text = (DEPLOY / "Caddyfile").read_text()
        tls = f"{self.url} {{\n\ttls {self.certificate.chain} {self.certificate.key}\n"
        text = text.replace("lab.example.org {\n", tls)
        text = text.replace("127.0.0.1:8000", self.server.url.removeprefix("http://"))
        text = text.replace("/var/log/caddy/access.log", str(self.log))
        # Neither the port of its own API nor that of http, which other programs may have.
        text = f"{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{text}"
        file = self._folder / "Caddyfile"
        file.write_text(text)
        return [self._program, "run", "--adapter", "caddyfile", "--config", str(file)]

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


def nginx(program: str, folder: Path, text: str, main: str = "events {}") -> list[str]:
    """Write a configuration with this text in its block `http`; return the command to run it.

    nginx has checked it: there is not even a warning.
    """
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder / kind};\n" for kind in kinds)
    conf = folder / "nginx.conf"
    conf.write_text(
        f"pid {folder / 'pid'};\nerror_log {folder / 'error.log'};\n"
        f"{main}\nhttp {{\n{temporary}{text}}}\n"
    )
    command = [program, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(conf)]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "warn" not in checked.stderr
    return command


@pytest.fixture(scope="module", params=PROXIES)
def proxy(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    started = Proxy(request.param, tmp_path_factory.mktemp(request.param))
    yield started
    started.stop()


def test_the_block_for_many_connections_is_nginxs(tmp_path: Path) -> None:
    (block,) = [each for each in blocks("docs/howto/nginx.md") if each.language == "nginx"]
    nginx(installed("nginx"), tmp_path, "", block.text)


def test_caddys_file_is_as_caddy_formats_it() -> None:
    """Caddy warns at each start of one that is not."""
    caddy = installed("caddy")
    file = DEPLOY / "Caddyfile"
    done = subprocess.run([caddy, "fmt", str(file)], capture_output=True, text=True, check=True)
    assert done.stdout == file.read_text()


def test_a_job_travels_through_the_proxy_and_answers_name_its_address(proxy: Proxy) -> None:
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


def test_a_stream_ends_with_its_client(proxy: Proxy) -> None:
    def streams() -> float:
        text = httpx.get(f"{proxy.server.url}/metrics").text
        return float(text.partition("\nqwicket_long_polls_open ")[2].split()[0])

    with proxy.client() as client, client.stream("GET", "/v1/events"):
        until(lambda: streams() == 1, "the server streams")
    until(lambda: streams() == 0, "the server has noticed that the client is gone")


def test_a_websocket_goes_through(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(proxy.certificate.authority))
    url, key = f"{proxy.url}{DIALECT}", proxy.server.token()
    with IBMQXClient(key, url=url) as client, proxy.client() as other:
        job = client.run_qobj(qobj(), SIMULATOR)
        signed_in = other.post(f"{url}/users/loginWithToken", json={"apiToken": key}).json()
        stream = statuses(f"{url}/jobs/{job.id}/status/v/1", signed_in["id"], time.monotonic() + 30)
        assert [each["status"] for each in stream][-1] == "COMPLETED"


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
