"""Archives of jobs: written by a live server, read back without one; hostile files are refused."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qwicket
from qwicket.clients.native import ApiError, Client, InvalidArchive, Result, read_archive
from qwicket.model.ids import new_id
from support import braket, xanadu
from support.held import held_job
from support.programs import BELL
from support.server import LiveServer, cli, run_cli, server_on

pytestmark = pytest.mark.extended

EPOCH = (1980, 1, 1, 0, 0, 0)
HETERODYNE = xanadu.pair().replace("MeasureFock()", "MeasureHD")
Members = dict[str, bytes]


@pytest.fixture(scope="module")
def live(
    database_kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    with server_on(database_kind, request, tmp_path_factory.mktemp("archives")) as live:
        yield live


@pytest.fixture
def client(live: LiveServer) -> Iterator[Client]:
    with qwicket.connect(live.url, live.token()) as client:
        yield client


def assert_equal(found: Result | None, expected: Result) -> None:
    assert found is not None
    assert found.parts == expected.parts
    assert (found.job, found.device) == (expected.job, expected.device)


@pytest.mark.both_databases
@pytest.mark.parametrize("outputs", [("counts",), ("counts", "memory", "probabilities")])
def test_an_archive_gives_back_job_program_options_and_result(
    client: Client, tmp_path: Path, outputs: tuple[str, ...]
) -> None:
    job = client.submit(BELL, "simulator", shots=50, seed=3, outputs=outputs, name="b", tags=["t"])
    result = job.result(timeout=60)
    job.archive(tmp_path / "bell.zip")
    with read_archive(tmp_path / "bell.zip") as archive:
        assert archive.job.info == {**client.job(job.id).info, "url": None}
        assert archive.program is not None
        assert json.loads(archive.program.text) == BELL
        assert archive.program.options["seed"] == 3
        assert archive.program.options["shots"] == 50
        assert archive.calibration is None
        assert_equal(archive.result, result)
        (part,) = archive.parts()
        for name, array in result.arrays.items():
            np.testing.assert_array_equal(part.arrays[name], array)


def test_the_calibration_of_a_twin_is_frozen_with_its_job(client: Client, tmp_path: Path) -> None:
    job = client.submit(BELL, "qpu.aria-1", shots=20).wait(timeout=60)
    job.archive(tmp_path / "twin.zip")
    with read_archive(tmp_path / "twin.zip") as archive:
        assert archive.calibration == client.calibration("qpu.aria-1")
        assert archive.calibration["id"] == job.body.calibration


def test_every_kind_of_result_is_the_same_from_an_archive(client: Client, tmp_path: Path) -> None:
    pair = 'OPENQASM 3.0; include "stdgates.inc"; qubit[11] q; bit[11] c; h q; c = measure q;'
    two = pair.replace("[11]", "[2]")
    jobs = [
        client.submit([pair, two], "simulator", shots=40, outputs=["counts", "memory"]),
        client.device("simulon_gaussian").run(xanadu.pair(), 7),
        client.device("simulon_gaussian").run(HETERODYNE, 7),
    ]
    for number, job in enumerate(jobs):
        result = job.result(timeout=60)
        path = tmp_path / f"{number}.zip"
        job.archive(path)
        with read_archive(path) as archive:
            assert_equal(archive.result, result)


@pytest.mark.parametrize("shots", [0, 20])
def test_the_result_types_of_a_braket_task_are_arrays_of_its_archive(
    server: LiveServer, tmp_path: Path, shots: int
) -> None:
    exact = ["state_vector", "probability", "density_matrix", "expectation x(q[0])"]
    kinds = exact if not shots else ["sample z(q[0])", "probability q[0]", "variance y(q[1])"]
    text = braket.BELL + "".join(f"\n#pragma braket result {kind}" for kind in kinds)
    server.token()
    pair = server.admin("token", "create", "--user", server.account, "--aws")
    body = braket.body(action=braket.action(text), shots=shots)
    sign = braket.Signature(pair, "braket")
    with server.client() as http, qwicket.connect(server.url, server.token()) as client:
        answer = http.post("/braket/quantum-task", content=json.dumps(body), auth=sign)
        job = client.job(answer.json()["quantumTaskArn"].rpartition("/")[2])
        arrays = job.result(timeout=60).arrays
        job.archive(tmp_path / "task.zip")
    assert len([name for name in arrays if name.startswith("value")]) == len(kinds)
    with read_archive(tmp_path / "task.zip") as archive:
        (part,) = archive.parts()
        assert sorted(part.arrays) == sorted(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(part.arrays[name], array)


def test_a_job_without_a_result_has_an_archive_and_one_that_runs_has_none(
    client: Client, tmp_path: Path
) -> None:
    job = client.submit(held_job().program, "simulator")
    with pytest.raises(ApiError, match=r"archive exists once it has ended.*not_finished"):
        job.archive(tmp_path / "job.zip")
    assert list(tmp_path.iterdir()) == []
    job.cancel().wait(timeout=60)
    job.archive(tmp_path / "job.zip")
    with read_archive(tmp_path / "job.zip") as archive:
        assert (archive.job.state, archive.result) == ("cancelled", None)
        assert archive.program is not None


def test_two_archives_of_a_job_have_the_same_bytes_and_no_traces_of_the_server(
    live: LiveServer, client: Client
) -> None:
    job = client.submit(BELL, "simulator", shots=30).wait(timeout=60)
    with live.client() as http:
        first, second = (http.get(f"/v1/jobs/{job.id}/archive").content for _ in range(2))
    assert first == second
    assert live.url.encode() not in first
    assert os.fsencode(live.folder) not in first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {EPOCH}
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.testzip() is None


@pytest.mark.both_databases
def test_a_large_archive_is_streamed_and_the_same_each_time(
    live: LiveServer, client: Client, tmp_path: Path
) -> None:
    wide = 'OPENQASM 3.0; include "stdgates.inc"; qubit[20] q; bit[20] c; h q; c = measure q;'
    job = client.submit([wide] * 4, "simulator", shots=200_000, outputs=["counts", "memory"])
    result = job.result(timeout=120)
    digests = set()
    with live.client() as http:
        for _ in range(2):
            with http.stream("GET", f"/v1/jobs/{job.id}/archive") as answer:
                assert answer.headers["transfer-encoding"] == "chunked"
                assert answer.headers["content-type"] == "application/zip"
                assert answer.headers["content-disposition"].endswith(f'"{job.id}.zip"')
                digests.add(hashlib.sha256(answer.read()).digest())
        assert "content-length" not in http.head(f"/v1/jobs/{job.id}/archive").headers
    assert len(digests) == 1
    job.archive(tmp_path / "large.zip")
    with read_archive(tmp_path / "large.zip") as archive:
        assert_equal(archive.result, result)


def test_a_large_archive_is_received_by_the_client_for_event_loops(
    live: LiveServer, tmp_path: Path
) -> None:
    async def save() -> str:
        async with qwicket.aconnect(live.url, live.token()) as client:
            job = await client.submit(BELL, "simulator", shots=300_000, outputs=["memory"])
            await job.wait(timeout=60)
            await job.archive(tmp_path / "job.zip")
            return job.id

    job = asyncio.run(save())
    with read_archive(tmp_path / "job.zip") as archive:
        assert archive.job.id == job
        assert archive.result is not None
        assert len(archive.result.memory) == 300_000


def test_the_job_of_another_has_no_archive(live: LiveServer, client: Client) -> None:
    job = client.submit(BELL, "simulator", shots=10).wait(timeout=60)
    with live.client(live.token("grace")) as http:
        theirs = http.get(f"/v1/jobs/{job.id}/archive")
        absent = http.get(f"/v1/jobs/{new_id(0)}/archive")
    assert (theirs.status_code, theirs.content) == (404, absent.content)


def test_the_command_saves_a_job(live: LiveServer, tmp_path: Path) -> None:
    env = {"QWICKET_URL": live.url, "QWICKET_TOKEN": live.token()}
    (tmp_path / "bell.json").write_text(json.dumps(BELL))
    job = cli(
        *("submit", str(tmp_path / "bell.json"), "--device", "simulator", "--shots", "9"), env=env
    )
    cli("watch", job, env=env)
    file = tmp_path / "job.zip"
    assert cli("archive", job, str(file), env=env).startswith(f"{job}  {file}  ")
    with read_archive(file) as archive:
        assert archive.result is not None
        assert sum(archive.result.counts.values()) == 9
    refused = run_cli("archive", job, str(tmp_path / "no folder" / "job.zip"), env=env)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "no folder" in refused.stderr


# --- hostile files --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def members(server: LiveServer) -> Members:
    """The members of an archive that is right."""
    with server.client() as http:
        body = {"program": BELL, "device": "simulator", "shots": 10}
        job = http.post("/v1/jobs", params={"wait": 60}, json=body).json()
        content = http.get(f"/v1/jobs/{job['id']}/archive").raise_for_status().content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(members: Members, /, *, compression: int = zipfile.ZIP_STORED, **manifest: Any) -> bytes:
    """Return an archive of these members with a manifest that fits, or with other fields of it."""
    body = json.loads(members["manifest.json"])
    others = {name: data for name, data in members.items() if name != "manifest.json"}
    body["members"] = [
        {"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in others.items()
    ]
    others["manifest.json"] = json.dumps(body | manifest).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in others.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def changed(name: str, change: Callable[[bytes], bytes]) -> Callable[[Members], bytes]:
    return lambda members: packed(members | {name: change(members[name])})


def with_arrays(write: Callable[[zipfile.ZipFile], None]) -> Callable[[Members], bytes]:
    def npz(_: bytes) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            write(archive)
        return buffer.getvalue()

    return changed("parts/0.npz", npz)


def header(text: str) -> bytes:
    line = text.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(line).to_bytes(2, "little") + line.encode()


def pickled() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def overlapping(members: Members) -> bytes:
    """Return an archive whose directory has a member a hundred times, at one place."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("parts/0.npz", bytes(100_000))
        first = archive.infolist()[0]
        for number in range(1, 100):
            entry = zipfile.ZipInfo(f"parts/{number}.npz")
            entry.header_offset, entry.CRC = first.header_offset, first.CRC
            entry.file_size = entry.compress_size = first.file_size
            archive.filelist.append(entry)
            archive.NameToInfo[entry.filename] = entry
    return buffer.getvalue()


HOSTILE: dict[str, tuple[Callable[[Members], bytes], str]] = {
    "no ZIP": (lambda _: b"hello", "not a whole ZIP file"),
    "empty": (lambda _: b"", "not a whole ZIP file"),
    # The last directory in the file is then that of the arrays, which are a ZIP file, too.
    "half": (lambda members: packed(members)[:-200], "has a member 'counts.npy'"),
    "compressed": (
        lambda members: packed(members, compression=zipfile.ZIP_DEFLATED),
        "is compressed, which no member is",
    ),
    "bomb": (
        lambda members: packed(
            members | {"program.txt": bytes(50_000_000)}, compression=zipfile.ZIP_LZMA
        ),
        "is compressed, which no member is",
    ),
    "overlapping": (overlapping, "its members overlap"),
    "path upwards": (
        lambda members: packed(members | {"../../.bashrc": b"x"}),
        r"no archive of a job has a member '\.\./\.\./\.bashrc'",
    ),
    "absolute path": (
        lambda members: packed(members | {"/etc/passwd": b"x"}),
        "no archive of a job has a member '/etc/passwd'",
    ),
    "other member": (
        lambda members: packed(members | {"parts/00.npz": b"x"}),
        "no archive of a job has a member 'parts/00.npz'",
    ),
    "without a manifest": (
        lambda members: packed(members).replace(b"manifest.json", b"parts/77.npz\x00"),
        "is not an archive of a job",
    ),
    "other format": (lambda members: packed(members, format="x"), "its format is 'x'"),
    "newer version": (lambda members: packed(members, version=2), "its version is 2"),
    "other version": (lambda members: packed(members, version="1"), "its version is '1'"),
    "another's manifest": (lambda members: packed(members, job="x"), "manifest is of another job"),
    "listed members": (
        lambda members: packed(members, members=[]),
        "not those that its manifest lists",
    ),
    "wrong checksum": (
        lambda members: packed(members).replace(b'"completed"', b'"cancelled"'),
        "the checksum of job.json is wrong|Bad CRC-32",
    ),
    "missing job": (
        lambda members: packed({k: v for k, v in members.items() if k != "job.json"}),
        "job.json is missing",
    ),
    "deep JSON": (
        changed("job.json", lambda _: b'{"id":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        "nested too deeply",
    ),
    "no JSON": (changed("job.json", lambda _: b"hello"), "JSON is malformed"),
}
HOSTILE_LATER: dict[str, tuple[Callable[[Members], bytes], str]] = {
    "array of objects": (
        with_arrays(lambda npz: npz.writestr("counts.npy", pickled())),
        "an array of a type that no result has",
    ),
    "huge array": (
        with_arrays(
            lambda npz: npz.writestr(
                "counts.npy",
                header("{'descr': '<i8', 'fortran_order': False, 'shape': (1000000000000,), }"),
            )
        ),
        "is not the one in its header",
    ),
    "negative array": (
        with_arrays(
            lambda npz: npz.writestr(
                "counts.npy",
                header("{'descr': '<i8', 'fortran_order': False, 'shape': (-1,), }"),
            )
        ),
        "is not the one in its header",
    ),
    "code in a header": (
        with_arrays(lambda npz: npz.writestr("counts.npy", header("__import__('os').abort()"))),
        "is not an archive of a job",
    ),
    "compressed array": (
        with_arrays(
            lambda npz: npz.writestr("counts.npy", bytes(10_000_000), zipfile.ZIP_DEFLATED)
        ),
        "is compressed, which no member is",
    ),
    "unknown array": (
        with_arrays(lambda npz: npz.writestr("x.npy", b"")),
        "there is no array 'x.npy'",
    ),
    "no arrays": (changed("parts/0.npz", lambda _: b"x"), "not a whole ZIP file"),
    "circuits out of order": (
        changed("result.json", lambda text: text.replace(b'"part":0', b'"part":7')),
        "circuit 7 stands at 0",
    ),
    "more bits": (
        changed("result.json", lambda text: re.sub(rb'\["[a-z0-9_]+",\d+\]', b'["c",99]', text)),
        "rows of 99 bits have another shape",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_refused_with_its_reason(
    members: Members, tmp_path: Path, case: str
) -> None:
    make, reason = HOSTILE[case]
    path = tmp_path / "hostile.zip"
    path.write_bytes(make(members))
    with pytest.raises(InvalidArchive, match=reason) as refused:
        read_archive(path)
    assert str(refused.value).startswith(f"{path} is not an archive of a job: ")


@pytest.mark.parametrize("case", HOSTILE_LATER)
def test_hostile_arrays_are_refused_when_they_are_read(
    members: Members, tmp_path: Path, case: str
) -> None:
    make, reason = HOSTILE_LATER[case]
    path = tmp_path / "hostile.zip"
    path.write_bytes(make(members))
    with read_archive(path) as archive, pytest.raises(InvalidArchive, match=reason):
        assert archive.result


def test_the_files_of_these_tests_are_refused_for_what_was_changed_alone(
    members: Members, tmp_path: Path
) -> None:
    path = tmp_path / "right.zip"
    path.write_bytes(packed(members))
    with read_archive(path) as archive:
        assert archive.result is not None


def test_a_response_that_breaks_off_leaves_no_file(
    live: LiveServer, client: Client, tmp_path: Path
) -> None:
    job = client.submit(BELL, "simulator", shots=10).wait(timeout=60)
    job.delete()
    path = tmp_path / "job.zip"
    path.write_text("as before")
    with pytest.raises(ApiError, match="not_found"):
        job.archive(path)
    assert [each.name for each in tmp_path.iterdir()] == ["job.zip"]
    assert path.read_text() == "as before"
