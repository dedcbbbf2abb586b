"""Exports of projects: a folder with the jobs as JSON lines and their archives.

export.json        project, and how far the export is
jobs.jsonl         a job per line, newest first
jobs/01a1f/ID.zip  archive of the job ID, in a folder of the first five digits of its id
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import zipfile
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import msgspec

from qwicket.clients.native.archives import Archive, directory, read_archive, verified_archive_file
from qwicket.clients.native.errors import ClientError, InvalidArchive
from qwicket.clients.native.views import JobView
from qwicket.schema.archives import PAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FORMAT: Final = "qwicket-project"
VERSION: Final = 1
_STATE: Final = "export.json"
_JOBS: Final = "jobs.jsonl"
_LOCK: Final = ".lock"
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LINE_BYTES: Final = 1 << 20
"""Size in bytes of the longest valid line of `jobs.jsonl`."""
_PAGE_BYTES: Final = 256 << 20
"""Size in bytes of the largest list of jobs (`page.json`) in a response."""


class ExportState(msgspec.Struct, frozen=True, kw_only=True):
    """Progress of an export.

    Attributes:
        format: `qwicket-project`.
        version: Version of the format.
        project: Name of the project.
        jobs: Number of jobs that are in the export.
        before: Position where the next page begins; null at the beginning and at the end.
        is_complete: Whether the export has all jobs that had ended when it began.
    """

    format: str = FORMAT
    version: int = VERSION
    project: str = ""
    jobs: int = 0
    before: int | None = None
    is_complete: bool = False


class _Page(msgspec.Struct, frozen=True, kw_only=True):
    jobs: list[dict[str, Any]]
    next: int | None = None


class Export:
    """The export of a project, in a folder.

    Attributes:
        project: Name of the project.
        is_complete: Whether the export came to its end.
    """

    def __init__(self, folder: Path, state: ExportState) -> None:
        self._folder = folder
        self.project = state.project
        self.is_complete = state.is_complete

    def __repr__(self) -> str:
        return f"<Export of {self.project}>"

    def __iter__(self) -> Iterator[Archive]:
        """Yield the archive of each job, newest first, and close it afterwards."""
        for job in self.jobs():
            with self.archive(job.id) as archive:
                yield archive

    def jobs(self) -> Iterator[JobView]:
        """Yield each job, newest first, without opening its archive.

        Raises:
            InvalidArchive: A line is not a job.
        """
        path = self._folder / _JOBS
        with path.open("rb") as file:
            for number in count(1):
                line = file.readline(_LINE_BYTES)
                if not line:
                    return
                try:
                    job = JobView(msgspec.json.decode(line, type=dict[str, Any]))
                except (ClientError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                    raise InvalidArchive(f"{path}: line {number} is not a job.") from None
                yield job

    def archive(self, job: str) -> Archive:
        """Open the archive of a job.

        Raises:
            InvalidArchive: The id is malformed, or the archive was changed, is of another job or of
                a newer version.
            OSError: There is no such archive.
        """
        path = _archive_path(self._folder, job)
        archive = read_archive(path)
        if archive.job.id != job:
            archive.close()
            raise InvalidArchive(f"{path} is the archive of another job, {archive.job.id}.")
        return archive


def read_export(folder: str | os.PathLike[str]) -> Export:
    """Open the export of a project.

    Args:
        folder: Folder that `qwicket project export` has written.

    Raises:
        InvalidArchive: The folder is not an export, or of a newer version.

    Example:
        ```python
        from qwicket.clients.native import read_export

        for archive in read_export("exam"):
            print(archive.job.id, archive.result.counts)
        ```
    """
    folder = Path(folder)
    return Export(folder, _read_state(folder))


def write_export(folder: Path, project: str, fetch: Callable[[int | None, IO[bytes]], None]) -> int:
    """Write an export, or continue one that was interrupted; return the number of its jobs.

    Args:
        folder: Folder that is empty, absent, or has an export of the same project.
        project: Name of the project.
        fetch: Writes the page of jobs before a position, None for the newest, into a file.

    Raises:
        InvalidArchive: The folder has other files or another project's export, or the response is
            not a page of an export.
        ClientError: The export is complete, another process writes it, or a request failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        state = _resumed_state(folder, project)
        with (folder / _JOBS).open("r+b" if state.jobs else "w+b") as lines:
            _truncate_after(lines, state.jobs)
            while not state.is_complete:
                with tempfile.TemporaryFile(dir=folder) as file:
                    fetch(state.before, file)
                    page = _write_page(file, folder, lines)
                state = ExportState(
                    project=project,
                    jobs=state.jobs + len(page.jobs),
                    before=page.next,
                    is_complete=page.next is None,
                )
                os.fsync(lines.fileno())
                _write_state(folder, state)
    return state.jobs


def _write_page(file: IO[bytes], folder: Path, lines: IO[bytes]) -> _Page:
    """Write the archives of a page, check each, and append their jobs to `jobs.jsonl`."""
    size = file.seek(0, os.SEEK_END)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = directory(archive, size, lambda name: name == PAGE or _is_archive(name))
            if PAGE not in entries or entries[PAGE].file_size > _PAGE_BYTES:
                raise ValueError(f"{PAGE} is missing or too large")
            page = msgspec.json.decode(archive.read(PAGE), type=_Page)
            for body in page.jobs:
                job = JobView(dict(body))
                path = _archive_path(folder, job.id)
                path.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(f"{job.id}.zip") as member, verified_archive_file(path) as copy:
                    shutil.copyfileobj(member, copy)
                lines.write(msgspec.json.encode(body) + b"\n")
    except (zipfile.BadZipFile, EOFError, KeyError, ValueError, RecursionError) as error:
        reason = str(error)
    else:
        lines.flush()
        return page
    raise InvalidArchive(f"The response is not a page of an export: {reason}.")


def _is_archive(name: str) -> bool:
    return bool(_ID.fullmatch(name.removesuffix(".zip"))) and name.endswith(".zip")


def _archive_path(folder: Path, job: str) -> Path:
    if not _ID.fullmatch(job):
        raise InvalidArchive(f"{job[:100]!r} is not the id of a job.")
    return folder / "jobs" / job[:5] / f"{job}.zip"


def _resumed_state(folder: Path, project: str) -> ExportState:
    """Return where an export continues; write the state of a new one."""
    state = new = ExportState(project=project)
    if (folder / _STATE).exists():
        state = _read_state(folder)
    elif others := [each.name for each in folder.iterdir() if each.name not in (_LOCK, _JOBS)]:
        raise InvalidArchive(f"{folder} is not empty, and has no export: {others[0][:100]}.")
    if state == ExportState(project=state.project):  # no page came, for example of a wrong project
        _write_state(folder, new)
        return new
    if state.project != project:
        raise InvalidArchive(f"{folder} has an export of the project {state.project}.")
    if state.is_complete:
        raise ClientError(f"{folder} has a complete export: choose another folder.")
    return state


def _truncate_after(lines: IO[bytes], number: int) -> None:
    """Remove the lines after the first `number`, which an interrupted page has left."""
    for _ in range(number):
        lines.readline()
    lines.truncate(lines.tell())


def _read_state(folder: Path) -> ExportState:
    path = folder / _STATE
    try:
        state = msgspec.json.decode(path.read_bytes(), type=ExportState)
    except FileNotFoundError:
        reason = "it has no export.json"
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, NotADirectoryError) as error:
        reason = str(error)
    else:
        if (state.format, state.version) == (FORMAT, VERSION):
            return state
        reason = (
            f"its format is {state.format[:100]!r}, version {state.version};"
            f" this version of qwicket reads {FORMAT!r}, version {VERSION}"
        )
    raise InvalidArchive(f"{folder} is not an export of a project: {reason}.")


def _write_state(folder: Path, state: ExportState) -> None:
    path = folder / f".{_STATE}"
    path.write_bytes(msgspec.json.encode(state) + b"\n")
    path.replace(folder / _STATE)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    import fcntl

    with (folder / _LOCK).open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ClientError(f"Another process writes an export to {folder}.") from None
        yield
