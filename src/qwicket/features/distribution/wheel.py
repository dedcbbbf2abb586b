"""The wheel of this installation: its own files, each checked against what was installed.

Equal installations give equal bytes: names are sorted, times and modes are fixed, and nothing is
compressed, because versions of zlib compress differently.
"""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from importlib import metadata, resources
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_WHEEL: Final = b"""\
Wheel-Version: 1.0
Generator: qwicket
Root-Is-Purelib: true
Tag: py3-none-any
"""
_TIME: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a ZIP file can have."""
_MODE: Final = 0o100644


class NotOffered(Exception):
    """There is no wheel; the text says why."""


@dataclass(frozen=True)
class Wheel:
    """A wheel.

    Attributes:
        name: Name of the file.
        content: The file.
        sha256: Digest of the content, in hexadecimal.
    """

    name: str
    content: bytes = field(repr=False)
    sha256: str

    @property
    def link(self) -> str:
        """Return the name with the digest, as the last part of an address."""
        return f"{self.name}#sha256={self.sha256}"


def build() -> Wheel:
    """Make the wheel of this installation. It reads all files, so call it in a thread.

    Raises:
        NotOffered: A file is not as it was installed, or belongs to another version.
    """
    try:
        found = metadata.distribution("qwicket")
        if found.version != resolve_name("qwicket:__version__"):
            raise NotOffered("Another version of Qwicket was installed while this server runs.")
        files = _files(found)
    except metadata.PackageNotFoundError:
        raise NotOffered("Qwicket runs here without being installed.") from None
    except OSError as error:
        name = Path(str(error.filename)).name
        raise NotOffered(f"A file of Qwicket cannot be read: {name}.") from None
    stem = f"qwicket-{found.version}"
    content = _zipped(files, f"{stem}.dist-info")
    return Wheel(f"{stem}-py3-none-any.whl", content, hashlib.sha256(content).hexdigest())


def _files(found: metadata.Distribution) -> dict[str, bytes]:
    """Return the files of the distribution by their names, without those that installing adds."""
    info = f"qwicket-{found.version}.dist-info"
    folder = Path(str(resources.files("qwicket"))).resolve()
    is_editable = folder != Path(str(found.locate_file("qwicket"))).resolve()
    files = {}
    for name, digest, *_ in csv.reader((found.read_text("RECORD") or "").splitlines()):
        if not _is_offered(name, info) or (is_editable and name.startswith("qwicket/")):
            continue
        files[name] = Path(str(found.locate_file(name))).read_bytes()
        if digest != _digest(files[name]):
            raise NotOffered(f"The file {name} is not as it was installed.")
    if not files:
        raise NotOffered("This installation has no list of its files (RECORD).")
    for path in folder.rglob("*") if is_editable else ():
        name = path.relative_to(folder.parent).as_posix()
        if path.is_file() and _is_offered(name, info):
            files[name] = path.read_bytes()
    return files


def _is_offered(name: str, info: str) -> bool:
    if name.startswith("qwicket/"):
        return "/__pycache__/" not in name and not name.endswith(".pyc")
    metadata_files = (f"{info}/METADATA", f"{info}/entry_points.txt")
    return name in metadata_files or name.startswith(f"{info}/licenses/")


def _zipped(files: dict[str, bytes], info: str) -> bytes:
    files = {**files, f"{info}/WHEEL": _WHEEL}
    rows = [(name, _digest(files[name]), len(files[name])) for name in sorted(files)]
    files[f"{info}/RECORD"] = _csv([*rows, (f"{info}/RECORD", "", "")])
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system = 3  # Unix, on every system
            entry.external_attr = _MODE << 16
            archive.writestr(entry, files[name])
    return made.getvalue()


def _csv(rows: Iterable[tuple[object, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _digest(content: bytes) -> str:
    """Return the digest of a file as RECORD has it."""
    digest = urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}"
