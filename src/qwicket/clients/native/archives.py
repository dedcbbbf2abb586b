"""Archives of jobs, which are read without a server. Untrusted files are safe to read.

An archive is a ZIP file with JSON and NumPy arrays (npz). Its members are stored without
compression, so they never unpack to more bytes than the file has. No member is ever extracted to
a file or unpickled.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import re
import tempfile
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from qwicket.clients.http import sanitize
from qwicket.clients.native.errors import InvalidArchive
from qwicket.clients.native.results import Part, Result
from qwicket.clients.native.views import JobView
from qwicket.clients.native.wire import decoder
from qwicket.schema import archives as shapes
from qwicket.schema.results import OutcomeBody, ResultBody

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")

_JSON_BYTES: Final = 256 << 20
"""Size in bytes of the largest program, and of the largest JSON except the manifest."""
_MANIFEST_BYTES: Final = 64 << 20
_CHUNK_BYTES: Final = 1 << 20
_ENCRYPTED: Final = 0x1
"""Flag of an encrypted member (ZIP's APPNOTE.TXT, 4.4.4)."""
_MAGIC: Final = b"\x93NUMPY"
_DTYPES: Final = frozenset({"|u1", "<i2", "<i8", "<f8", "<c16"})
_ARRAY: Final = re.compile(
    r"keys|counts|probabilities|sharpened|memory|samples|evs|stds"
    r"|measurements|labels|readouts|value[0-9]{1,9}"
    r"|runs|noise_factors|(?:evs|stds)_(?:noise_factors|extrapolated)"
)
"""Names of the arrays that outcomes have."""
_MAX_DIMENSIONS: Final = 3


@dataclass(frozen=True)
class ArchivedProgram:
    """A program as it was submitted, and how it was run.

    Attributes:
        text: The program.
        format: Format of the program.
        inputs: Values of its inputs.
        options: Options of the run: shots, seed, outputs, noise model, engine and others; without
            the seed while the results of an exam are withheld.
    """

    text: str
    format: str
    inputs: dict[str, float]
    options: dict[str, Any]


class Archive:
    """Archive of a job. Close it, or use it as a context manager.

    `read_archive` has checked all members against the manifest. Results are read at the first
    access; `parts()` reads one circuit at a time.
    """

    def __init__(self, members: _Members, manifest: shapes.ManifestBody) -> None:
        self._members = members
        self._manifest = manifest

    def __repr__(self) -> str:
        return f"<Archive of {self._manifest.job}>"

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._members.close()

    @cached_property
    def job(self) -> JobView:
        """The job as it ended."""
        body = self._members.json(shapes.JOB, dict[str, Any])
        with self._members.refusing():
            return JobView(body)

    @cached_property
    def program(self) -> ArchivedProgram | None:
        """The program; None if it was refused or never uploaded."""
        if shapes.PROGRAM not in self._members:
            return None
        options = self._members.json(shapes.OPTIONS, shapes.OptionsBody)
        with self._members.refusing():
            text = self._members.read(shapes.PROGRAM, _JSON_BYTES).decode()
        return ArchivedProgram(text, options.format, options.inputs, options.options)

    @cached_property
    def calibration(self) -> dict[str, Any] | None:
        """The device's calibration when the job was submitted; None if it had none."""
        if shapes.CALIBRATION not in self._members:
            return None
        return self._members.json(shapes.CALIBRATION, dict[str, Any])

    @cached_property
    def result(self) -> Result | None:
        """Result of all circuits, which stay in memory; None if the job ended without one."""
        parts = tuple(self.parts())
        return Result(self.job.id, parts, self.job.body.device) if parts else None

    def parts(self) -> Iterator[Part]:
        """Yield the outcome of each circuit.

        Raises:
            InvalidArchive: The content is wrong.
        """
        if shapes.RESULT not in self._members:
            return
        for number, body in enumerate(self._members.json(shapes.RESULT, ResultBody).parts):
            with self._members.refusing():
                if body.part != number:
                    raise ValueError(f"{shapes.RESULT}: circuit {body.part} stands at {number}")
                if body.error is not None:
                    part = Part.from_body(body)
                else:
                    part = _part(body, self._members.arrays(shapes.arrays_of(number)))
                    part.fill(partial(self._members.read, shapes.arrays_of(number)))
            yield part


def read_archive(path: str | os.PathLike[str]) -> Archive:
    """Open the archive of a job, and check all of it against its manifest.

    Args:
        path: File that `Job.archive` or `qwicket archive` has written.

    Raises:
        InvalidArchive: The file is not an archive of a job, was changed, or is of a newer version.
        OSError: The file cannot be read.

    Example:
        ```python
        from qwicket.clients.native import read_archive

        with read_archive("bell.zip") as archive:
            print(archive.job.id, archive.program.format, archive.result.counts)
        ```
    """
    members = _Members(Path(path))
    try:
        return Archive(members, members.checked())
    except BaseException:
        members.close()
        raise


@contextmanager
def verified_archive_file(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Yield a file to write an archive to; it appears at `path` once it was written and checked.

    Raises:
        InvalidArchive: The content is not a whole archive.
        OSError: The file cannot be written.
    """
    path = Path(path)
    with tempfile.NamedTemporaryFile(
        prefix=f".{path.name[:100]}.", dir=path.parent, delete=False
    ) as file:
        temporary = Path(file.name)
        try:
            yield file.file
            file.close()
            read_archive(temporary).close()
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


class _Members:
    """The members of an archive that passed all checks of its directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("rb")
        try:
            with self.refusing():
                self._zip, self._entries = _opened(self._file)
        except BaseException:
            self._file.close()
            raise

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def close(self) -> None:
        self._zip.close()
        self._file.close()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Replace errors about the content by one that names the file.

        Raises:
            InvalidArchive: The content is wrong.
        """
        try:
            yield
        except InvalidArchive:
            raise
        except RecursionError:
            reason = "its JSON is nested too deeply"
        except (zipfile.BadZipFile, EOFError) as error:
            reason = f"it is not a whole ZIP file: {error}"
        except NotImplementedError as error:
            reason = f"it needs a feature of ZIP that no archive of a job uses: {error}"
        except Exception as error:  # any other one is about the content too, such as struct.error
            if isinstance(error, OSError):
                raise
            reason = str(error)
        else:
            return
        raise InvalidArchive(f"{self.path} is not an archive of a job: {sanitize(reason)}.")

    def checked(self) -> shapes.ManifestBody:
        """Check all members against the manifest, and return it."""
        with self.refusing():
            content = self.read(shapes.MANIFEST, _MANIFEST_BYTES)
            self._check_version(content)
            manifest = decoder(shapes.ManifestBody).decode(content)
            names = [member.name for member in manifest.members]
            if sorted([*names, shapes.MANIFEST]) != sorted(self._entries):
                raise ValueError("its members are not those that its manifest lists")
            for member in manifest.members:
                self._check(member)
            if self.json(shapes.JOB, dict[str, Any]).get("id") != manifest.job:
                raise ValueError("its manifest is of another job")
        return manifest

    def _check_version(self, content: bytes) -> None:
        begin = msgspec.json.decode(content, type=dict[str, Any])
        if begin.get("format") != shapes.FORMAT:
            raise ValueError(f"its format is {begin.get('format')!r}, not {shapes.FORMAT!r}")
        if (version := begin.get("version")) != shapes.VERSION:
            raise ValueError(
                f"its version is {version!r}, and this version of qwicket reads {shapes.VERSION}"
            )

    def _check(self, member: shapes.MemberBody) -> None:
        if (size := self._entries[member.name].file_size) != member.bytes:
            raise ValueError(f"{member.name} has {size} bytes, but {member.bytes} in the manifest")
        digest = hashlib.sha256()
        with self._zip.open(member.name) as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
        if digest.hexdigest() != member.sha256:
            raise ValueError(f"the checksum of {member.name} is wrong: it was changed")

    def read(self, name: str, max_bytes: int | None = None) -> bytes:
        """Return the bytes of a member."""
        with self.refusing():
            if name not in self._entries:
                raise ValueError(f"{name} is missing")
            size = self._entries[name].file_size
            if max_bytes is not None and size > max_bytes:
                raise ValueError(f"{name} has {size} bytes; at most {max_bytes} are allowed")
            return self._zip.read(name)

    def json(self, name: str, of: type[T]) -> T:
        """Return a member of JSON as the type `of`."""
        with self.refusing():
            return decoder(of).decode(self.read(name, _JSON_BYTES))

    def arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """Return the arrays of a member; their headers must agree with their sizes."""
        with self.refusing():
            content = self.read(name)
            with zipfile.ZipFile(io.BytesIO(content)) as npz:
                entries = directory(npz, len(content), lambda each: each.endswith(".npy"))
                return {each[:-4]: _array(npz.read(each), each) for each in entries}


def _opened(file: IO[bytes]) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
    size = os.fstat(file.fileno()).st_size
    archive = zipfile.ZipFile(file)
    return archive, directory(archive, size, _is_member)


def directory(
    archive: zipfile.ZipFile, size: int, is_allowed: Callable[[str], bool]
) -> dict[str, zipfile.ZipInfo]:
    """Return the entries of a ZIP file by name.

    A file that passes is not a ZIP bomb: no member is compressed, and all together are not larger
    than the file.

    Args:
        archive: The ZIP file.
        size: Size of the file in bytes.
        is_allowed: Whether a member may have this name.

    Raises:
        ValueError: A member is not allowed, compressed, encrypted or there twice, or some overlap.
    """
    entries: dict[str, zipfile.ZipInfo] = {}
    for entry in archive.infolist():
        name = entry.filename
        if not is_allowed(name):
            raise ValueError(f"no archive of a job has a member {name[:100]!r}")
        if name in entries:
            raise ValueError(f"{name} is there twice")
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise ValueError(f"{name} is compressed, which no member is")
        if entry.flag_bits & _ENCRYPTED:
            raise ValueError(f"{name} is encrypted, which no member is")
        entries[name] = entry
    if sum(entry.file_size for entry in entries.values()) > size:
        raise ValueError("its members overlap")
    return entries


def _is_member(name: str) -> bool:
    known = (
        shapes.MANIFEST,
        shapes.JOB,
        shapes.PROGRAM,
        shapes.OPTIONS,
        shapes.CALIBRATION,
        shapes.RESULT,
    )
    number = name.removeprefix("parts/").removesuffix(".npz")
    is_number = number.isascii() and number.isdigit() and len(number) < 10
    return name in known or (is_number and name == shapes.arrays_of(int(number)))


def _array(content: bytes, name: str) -> NDArray[Any]:
    """Return the array of a .npy file whose header agrees with its size."""
    import numpy as np

    if not _ARRAY.fullmatch(name.removesuffix(".npy")):
        raise ValueError(f"there is no array {name[:100]!r}")
    file = io.BytesIO(content)
    if content[:6] != _MAGIC or np.lib.format.read_magic(file) != (1, 0):
        raise ValueError(f"{name} is not an array of version 1.0 of NumPy's format")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.str not in _DTYPES or is_fortran or len(shape) > _MAX_DIMENSIONS:
        raise ValueError(f"{name} is an array of a type that no result has")
    size = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or size != len(content) - file.tell():
        raise ValueError(f"the size of {name} is not the one in its header")
    return np.frombuffer(content, dtype, offset=file.tell()).reshape(shape)


# --- outcomes -------------------------------------------------------------------------------------


def _part(body: OutcomeBody, arrays: dict[str, NDArray[Any]]) -> Part:
    """Return the outcome of a circuit, whose JSON lacks what the arrays hold."""
    n_bits = sum(size for _, size in body.registers)
    given: dict[str, Any] = {}
    if "keys" in arrays:
        keys = _texts(arrays["keys"], n_bits)
        for name in ("counts", "probabilities"):
            if name in arrays:
                given[name] = dict(zip(keys, arrays[name].tolist(), strict=True))
    if "counts" in given:  # their keys are also those of the probabilities, so some counts are 0
        given["counts"] = {key: count for key, count in given["counts"].items() if count}
    if "memory" in arrays:
        given["memory"] = _texts(arrays["memory"], n_bits)
    if "samples" in arrays:
        given["samples"] = _samples(arrays["samples"])
    for name in ("evs", "stds"):
        if name in arrays:
            given[name] = arrays[name].tolist()
    return Part.from_body(msgspec.structs.replace(body, **given))


def _texts(packed: NDArray[np.uint8], n_bits: int) -> list[str]:
    """Return rows of packed bits as texts, the highest bit first."""
    import numpy as np

    if packed.dtype != np.uint8 or packed.ndim != 2 or packed.shape[1] != max(1, -(-n_bits // 8)):
        raise ValueError(f"rows of {n_bits} bits have another shape")
    if not n_bits:
        return [""] * len(packed)
    bits = np.unpackbits(packed, axis=1, count=n_bits, bitorder="little")[:, ::-1] + ord("0")
    text = bits.astype(np.uint8).tobytes().decode("ascii")
    return [text[at : at + n_bits] for at in range(0, len(text), n_bits)]


def _samples(array: NDArray[Any]) -> list[list[Any]]:
    import numpy as np

    rows = array.reshape(len(array), math.prod(array.shape[1:]))
    if np.iscomplexobj(rows):
        return [[(each.real, each.imag) for each in row] for row in rows.tolist()]
    found: list[list[Any]] = rows.tolist()
    return found
