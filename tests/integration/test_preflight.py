"""`qwicket doctor` names by its setting whatever `qwicket serve` refuses, and never ends early."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

from support.agents import Lab
from support.certificates import certificate
from support.own_addresses import live_with_own, own_url
from support.postgres import PostgresServer
from support.remotes import write_device
from support.server import ANNOUNCEMENT, LiveServer, run_cli, run_here

pytestmark = pytest.mark.extended

Env = dict[str, str]


@contextmanager
def toml(text: str) -> Iterator[Env]:
    path = Path("settings.toml").absolute()
    path.write_text(text)
    yield {"QWICKET_CONFIG": str(path)}


@contextmanager
def env(**settings: str) -> Iterator[Env]:
    yield {f"QWICKET_{name}": value for name, value in settings.items()}


@contextmanager
def taken() -> Iterator[Env]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield {"QWICKET_PORT": str(listener.getsockname()[1])}


@contextmanager
def tls(cert: str, key: str) -> Iterator[Env]:
    """Name files of two sound pairs, or others."""
    for name in ("one", "two"):
        Path(name).mkdir()
        certificate(Path(name).absolute())
    Path("text.pem").write_text("no certificate\n")
    subprocess.run(
        ["openssl", "pkey", "-in", "one/key.pem", "-aes256", "-passout", "pass:x", "-out", "l.pem"],
        check=True,
        capture_output=True,
    )
    yield {"QWICKET_TLS_CERT": cert, "QWICKET_TLS_KEY": key}


@contextmanager
def master_keys(text: str, mode: int = 0o600) -> Iterator[Env]:
    path = Path("keys")
    path.touch(mode)
    path.chmod(mode)
    path.write_text(text)
    yield {"QWICKET_AWS_MASTER_FILE": "keys"}


@contextmanager
def other_master_keys() -> Iterator[Env]:
    """Make a key pair, and put another file in the place of its master key."""
    for words in ("user add ada", "token create --user ada --aws"):
        made = run_cli(*words.split(), env={})
        assert made.returncode == 0, made.stderr
    (Path("data") / "aws-master-keys").write_text(f"1 {'0' * 64}\n")
    yield {}


@contextmanager
def far_device(url: str, key: str = "secret") -> Iterator[Env]:
    folder = Path("devices")
    folder.mkdir()
    (folder / "far.toml").write_text(
        'name = "far"\nfamily = "qubit"\nprovider = "elsewhere"\ndriver = "remote"\nposition = 1\n'
        '[spec]\ndescription = "far"\nqubits = 2\nformats = ["openqasm3"]\n'
        f'[remote]\nkind = "qwicket"\nurl = "{url}"\ndevice = "d"\nkey_env = "FAR_KEY"\n'
    )
    yield {"QWICKET_DEVICE_DIR": "devices", "FAR_KEY": key}


@contextmanager
def one_port(host: str) -> Iterator[Env]:
    """Give a dialect's own address the port of the main address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    yield {
        "QWICKET_PORT": str(port),
        "QWICKET_LISTEN": f"port={port},dialect=ionq,host={host}",
    }


class Broken(NamedTuple):
    """A set-up that is broken, and what both commands say of it."""

    set_up: Callable[[], AbstractContextManager[Env]]
    said: str


CHAIN, KEY = "one/chain.pem", "one/key.pem"
BROKEN = {
    "limit": Broken(lambda: toml("[limits]\nqubit = 3\n"), "Did you mean 'qubits'?"),
    "limit-value": Broken(lambda: env(LIMIT="shots=x"), "shots must be a whole number, not 'x'."),
    "unknown-key": Broken(
        lambda: toml("worker = 3\n"), "no setting worker. Did you mean 'workers'"
    ),
    "bad-toml": Broken(lambda: toml("port = \n"), "is not valid TOML"),
    "list": Broken(lambda: toml("port = [1]\n"), "port must be a text or a number"),
    "port": Broken(lambda: env(PORT="abc"), "'abc' is not a whole number"),
    "port-range": Broken(lambda: env(PORT="65536"), "--port"),
    "taken": Broken(taken, "another program listens on"),
    "workers": Broken(lambda: env(WORKERS="-1"), "--workers"),
    "compute": Broken(lambda: env(COMPUTE="dask://lab"), "is not an address such as dask://"),
    "compute-form": Broken(lambda: env(COMPUTE="slurm"), "'slurm' is not one of 'local'"),
    "compute-workers": Broken(
        lambda: env(COMPUTE="dask+slurm:", WORKERS="2"), "--workers: 2 is not possible"
    ),
    "compute-tls": Broken(lambda: env(COMPUTE="dask://127.0.0.1:1"), "dask:// uses TLS"),
    "compute-tls-part": Broken(
        lambda: env(COMPUTE="dask://127.0.0.1:1", COMPUTE_TLS_CA="ca.pem"),
        "--compute-tls-cert, --compute-tls-key: the three files for TLS come together",
    ),
    "compute-tls-file": Broken(
        lambda: env(
            COMPUTE="dask://127.0.0.1:1",
            **dict.fromkeys(("COMPUTE_TLS_CA", "COMPUTE_TLS_CERT", "COMPUTE_TLS_KEY"), "no.pem"),
        ),
        "--compute-tls-ca: no.pem cannot be read: No such file",
    ),
    "compute-gone": Broken(
        lambda: env(COMPUTE="dask+tcp://127.0.0.1:1"), "no Dask scheduler responds at tcp://127"
    ),
    "compute-size": Broken(
        lambda: env(COMPUTE="dask+tcp://127.0.0.1:1", COMPUTE_MAX="3"),
        "--compute-max: Qwicket does not start dask+tcp://127.0.0.1:1",
    ),
    "compute-sizes": Broken(
        lambda: env(COMPUTE="dask+slurm:", COMPUTE_MIN="3", COMPUTE_MAX="2"),
        "--compute-max: 2 is less than --compute-min, 3",
    ),
    "local-size": Broken(lambda: env(COMPUTE_MIN="1"), "--compute-min: there is no cluster"),
    "host": Broken(
        lambda: env(HOST="203.0.113.7"), "203.0.113.7 is not an address of this machine"
    ),
    "host-name": Broken(
        lambda: env(HOST="nowhere.invalid"), "nowhere.invalid is not an address of this machine"
    ),
    "folder": Broken(lambda: env(DATA_DIR="/proc/nope"), "/proc/nope"),
    "public-url": Broken(lambda: env(PUBLIC_URL="lab.example"), "--public-url"),
    "proxy": Broken(lambda: env(TRUSTED_PROXY="x"), "--trusted-proxy"),
    "lease": Broken(lambda: env(LEASE_S="nan"), "--lease-s"),
    "first-poll": Broken(lambda: env(FIRST_POLL_MS="-1"), "--first-poll-ms"),
    "log": Broken(lambda: env(LOG_FORMAT="xml"), "--log-format"),
    "tls-cert": Broken(
        lambda: tls("no.pem", KEY), "--tls-cert: no.pem cannot be read: No such file"
    ),
    "tls-key": Broken(
        lambda: tls(CHAIN, "no.pem"), "--tls-key: no.pem cannot be read: No such file"
    ),
    "tls-pair": Broken(lambda: tls(CHAIN, "two/key.pem"), "the key in two/key.pem does not match"),
    "tls-text": Broken(lambda: tls("text.pem", KEY), "text.pem must be a certificate chain"),
    "tls-locked": Broken(lambda: tls(CHAIN, "l.pem"), "l.pem its private key without a password"),
    "listen": Broken(lambda: env(LISTEN="port=0,dialect=ion"), "Did you mean 'ionq'"),
    "listen-host": Broken(
        lambda: env(LISTEN="port=0,dialect=ionq,host=203.0.113.7"),
        "--listen: 203.0.113.7 is not an address of this machine",
    ),
    "listen-tls": Broken(
        lambda: env(LISTEN="port=0,dialect=ionq,tls_cert=no.pem,tls_key=no.pem"),
        "--listen: no.pem cannot be read: No such file",
    ),
    "listen-device": Broken(
        lambda: env(LISTEN="port=0,dialect=ionq,device=lab"),
        "--device-dir has no device 'lab' with pass_through = true",
    ),
    "device-key": Broken(
        lambda: far_device("https://lab.example", ""),
        "--device-dir: devices/far.toml: key_env: the environment variable FAR_KEY is not set",
    ),
    "device-url": Broken(
        lambda: far_device("https://"), "--device-dir: devices/far.toml: remote: "
    ),
    "listen-port": Broken(lambda: one_port("127.0.0.1"), "--listen: another program listens on"),
    "listen-all": Broken(lambda: one_port("0.0.0.0"), "--listen: another program listens on"),
    "tls-alone": Broken(lambda: env(TLS_CERT=CHAIN), "--tls-key: it is not set, but --tls-cert is"),
    "tls-key-alone": Broken(lambda: env(TLS_KEY=KEY), "--tls-cert: it is not set, but --tls-key"),
    "oidc-alone": Broken(
        lambda: env(OIDC_ISSUER="https://login.lab.example"),
        "--oidc-client-id: it is not set, but --oidc-issuer is",
    ),
    "oidc-id-alone": Broken(
        lambda: env(OIDC_CLIENT_ID="qwicket"),
        "--oidc-issuer: it is not set, but --oidc-client-id is",
    ),
    "master-mode": Broken(
        lambda: master_keys(f"1 {'0' * 64}\n", 0o644), "--aws-master-file: other users may read"
    ),
    "master-text": Broken(lambda: master_keys("hi\n"), "--aws-master-file: line 1 must be"),
    "master-other": Broken(
        other_master_keys, "--aws-master-file: version 1 is not the master key with which"
    ),
    "compute-module": Broken(
        lambda: env(COMPUTE="nowhere:cluster"), "the cluster cannot be started: ModuleNotFoundError"
    ),
    "compute-function": Broken(
        lambda: env(COMPUTE="json:nowhere"), "the cluster cannot be started: AttributeError"
    ),
    "compute-options": Broken(
        lambda: env(COMPUTE="dask+slurm:?cores=1&memory=1GB&colour=red"),
        "the cluster cannot be started: ValueError: Got unexpected keyword argument 'colour'",
    ),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("QWICKET_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("QWICKET_PORT", "0")
    monkeypatch.setenv("QWICKET_DATA_DIR", str(tmp_path / "data"))
    return tmp_path


def findings(status: int, **env: str) -> list[dict[str, str]]:
    done = run_here("doctor", "--json", env=env)
    assert (done.returncode, done.stderr) == (status, ""), done.stdout + done.stderr
    found: list[dict[str, str]] = json.loads(done.stdout)["findings"]
    return found


@pytest.mark.parametrize("name", BROKEN)
def test_the_doctor_names_what_the_server_refuses(name: str) -> None:
    broken = BROKEN[name]
    with broken.set_up() as settings:
        served = run_cli("serve", env=settings)
        assert served.returncode != 0
        assert served.stderr.count("\n") == 1
        assert served.stderr.startswith("Error: ")
        found = findings(1, **settings)
    wrong = [each for each in found if each["status"] == "wrong"]
    assert len(wrong) == 1, wrong
    assert broken.said in wrong[0]["found"]
    assert wrong[0]["remedy"]
    said = " ".join(broken.said.split())
    assert said.rstrip(".?") in served.stderr
    assert {"installed", "compute"} <= {each["about"] for each in found}  # it looked at all


def test_the_doctor_lists_all_that_is_wrong_at_once(folder: Path) -> None:
    (folder / "qwicket.toml").write_text("colour = 1\nport = 'x'\n[limits]\nshot = 1\nqubit = 2\n")
    wrong = [each["found"] for each in findings(1, QWICKET_WORKERS="many", QWICKET_PORT="")]
    text = "\n".join(wrong)
    for each in ("colour", "--port", "'shot'", "'qubit'", "--workers"):
        assert each in text


def test_what_the_doctor_passes_the_server_starts_with(folder: Path) -> None:
    cert = certificate(folder)
    (folder / "qwicket.toml").write_text(
        f'tls-cert = "{cert.chain}"\ntls-key = "{cert.key}"\n[limits]\nshots = 10\n'
    )
    found = findings(0)
    (settings,) = [each for each in found if each["about"] == "settings"]
    assert settings["found"] == f"{folder / 'qwicket.toml'} is read"
    process = subprocess.Popen(
        [sys.executable, "-m", "qwicket", "serve"], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith(f"{ANNOUNCEMENT}https://")
    process.terminate()
    process.communicate(timeout=60)


def test_the_doctor_is_green_beside_the_server_of_its_folder(server: LiveServer) -> None:
    settings = {"QWICKET_DATA_DIR": str(server.folder / "data")}
    port = server.url.rpartition(":")[2]
    token = server.token()
    found = findings(0, **settings, QWICKET_PORT=port, QWICKET_TOKEN=token)
    said = {
        (each["found"], each["status"])
        for each in found
        if each["about"] in ("settings", "server", "clock", "tokens", "token")
    }
    assert (f"{server.url} is ready", "ok") in said
    assert {status for _, status in said} == {"ok"}


def test_the_doctor_is_green_beside_a_server_of_its_database(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    with postgres.database() as url:
        live = live_with_own(tmp_path / "live", ["ionq"], "--database-url", url)
        own = own_url(live, "ionq").rpartition(":")[2]
        found = findings(
            0,
            QWICKET_DATABASE_URL=url,
            QWICKET_PORT=live.url.rpartition(":")[2],
            QWICKET_LISTEN=f"port={own},dialect=ionq",
        )
        said = [(each["found"], each["status"]) for each in found if each["about"] == "settings"]
        assert said == [("qwicket serve accepts them", "ok")]
        assert live.stop() == 0


def test_a_file_with_the_name_of_a_device_of_a_lab_is_refused(folder: Path) -> None:
    live = LiveServer(folder)
    lab = Lab(live, folder / "lab")
    with lab:
        pass
    assert live.stop() == 0
    devices = write_device(folder / "devices", live, "qw_no", name=lab.device)
    settings = {
        "QWICKET_DATA_DIR": str(folder / "data"),
        "QWICKET_DEVICE_DIR": str(devices),
    }
    served = run_cli("serve", env=settings)
    said = f"the name {lab.device} belongs to a device of a lab"
    assert served.returncode == 1
    assert said in served.stderr
    (wrong,) = [each for each in findings(1, **settings) if each["status"] == "wrong"]
    assert said in wrong["found"]


def test_a_certificate_that_has_expired_is_wrong_and_one_that_will_a_warning(folder: Path) -> None:
    for days, status, said in ((-1, 1, "has expired"), (3, 0, "expires in")):
        issued = trustme.CA().issue_cert(
            "127.0.0.1", not_after=datetime.now(UTC) + timedelta(days=days, hours=1)
        )
        issued.private_key_and_cert_chain_pem.write_to_path(str(folder / "both.pem"))
        both = str(folder / "both.pem")
        found = findings(status, QWICKET_TLS_CERT=both, QWICKET_TLS_KEY=both)
        assert [each for each in found if said in each["found"]]


def test_a_limit_that_memory_cannot_hold_is_a_warning() -> None:
    limits = "qubits=60 exact_qubits=60 density_qubits=30 memory_bytes=1000000000000000"
    found = findings(0, QWICKET_LIMIT=limits)
    said = [each["found"] for each in found if each["status"] == "warning"]
    # A worker would hold 2**45 numbers of 16 bytes; a density matrix has twice as many qubits.
    for text in (
        "qubits = 60, but the memory of a worker holds 45 qubits",
        "exact_qubits = 60, but the memory of a worker holds 45 qubits",
        "density_qubits = 30, but the memory of a worker holds 22 qubits",
        "memory_bytes = 1,000,000,000,000,000",
    ):
        assert any(each.startswith(f"--limit: {text}") for each in said), text
