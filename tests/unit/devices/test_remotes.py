"""Files of devices at other clouds, and their keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qwicket.devices.files import load_folder
from qwicket.devices.remotes import NoKey, Remote
from qwicket.model.errors import InvalidRequest

pytestmark = pytest.mark.needs_vendors


HEAD = """
name = "far"
family = "qubit"
provider = "elsewhere"
driver = "remote"
position = 1
[spec]
description = "far"
qubits = 3
formats = ["openqasm3"]
"""
REMOTE = """
[remote]
kind = "qwicket"
url = "http://127.0.0.1:1"
device = "simulator"
key_env = "FAR_KEY"
"""


def remote(**changes: Any) -> Remote:
    return Remote(kind="ionq", url="http://127.0.0.1:1", device="there", **changes)


def test_a_key_is_in_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("secret\n")
    path.chmod(0o600)
    assert remote(key_file=str(path)).key() == "secret"
    path.chmod(0o640)
    with pytest.raises(NoKey, match=r"key_file: others can read .* \(mode 0640\): chmod 600"):
        remote(key_file=str(path)).key()


@pytest.mark.parametrize("text", ["", " \n", "two\nlines", "k\x00", "schlüssel", "a" * 5000])
def test_a_file_without_one_key_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(NoKey, match="one line of printable ASCII") as caught:
        remote(key_file=str(path)).key()
    assert not text.strip() or text.strip()[:20] not in str(caught.value)


def test_a_missing_key_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoKey, match="cannot be read: No such file"):
        remote(key_file=str(tmp_path / "nothing")).key()
    monkeypatch.delenv("FAR_KEY", raising=False)
    with pytest.raises(NoKey, match="FAR_KEY is not set"):
        remote(key_env="FAR_KEY").key()
    monkeypatch.setenv("FAR_KEY", " secret ")
    assert remote(key_env="FAR_KEY").key() == "secret"


@pytest.mark.parametrize("keys", [{}, {"key_env": "A", "key_file": "b"}])
def test_there_is_one_place_for_the_key(keys: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="key_env or key_file"):
        remote(**keys)


def test_a_folder_gives_its_devices(tmp_path: Path) -> None:
    (tmp_path / "far.toml").write_text(HEAD + REMOTE)
    (tmp_path / "README").write_text("nothing")
    (file,) = load_folder(tmp_path).values()
    device = file.device(lambda *_: ("native",))
    assert device.spec.formats_as_written == ("openqasm3",)
    assert device.spec.rewritten_as == "openqasm3"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (HEAD, r"has a table \[remote\]"),
        (
            HEAD.replace('"far"', '"a b/c"', 1) + REMOTE,
            r"name must be 1 to 63",
        ),
        (HEAD.replace("remote", "simulated") + REMOTE, r"no other has"),
        (HEAD + REMOTE.replace("qwicket", "azure"), r"kind 'azure' is none of qwicket, "),
        (HEAD + REMOTE.replace("http:", "ftp:"), r"url must begin with https"),
        (HEAD + REMOTE + "poll_s = 0\n", r"`float` >= 0.05"),
        (HEAD + REMOTE + "timeout_s = 61\n", r"settle_s must be at least timeout_s"),
        (HEAD + REMOTE + "settle_s = 29\n", r"settle_s must be at least timeout_s"),
        (HEAD + REMOTE + "keeps_jobs_s = 60\n", r"keeps_jobs_s must be above settle_s"),
        (HEAD + REMOTE + "colour = 1\n", r"unknown field `colour`"),
        ((HEAD + REMOTE).replace('"far"', '"simulator"', 1), r"another device simulator"),
        ("name = [", r"far.toml"),
        ("name = '\udcff'", r"far.toml"),
    ],
)
def test_an_invalid_file_is_refused_with_its_reason(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "far.toml").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InvalidRequest, match=rf"--device-dir: .*{reason}"):
        load_folder(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="nothing: No such file"):
        load_folder(tmp_path / "nothing")
