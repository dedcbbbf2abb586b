"""The JSON in the archive of a job, and the names of the archive's members.

An archive is a ZIP file whose members are stored without compression. So it never unpacks to more
bytes than the file has, and its bytes do not depend on the version of zlib.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

from qwicket.schema.base import INT64_MAX, Id

FORMAT: Final = "qwicket-job"
VERSION: Final = 1
"""Version of the format that this Qwicket writes, and the newest that it reads."""
ZIP_TYPE: Final = "application/zip"

MANIFEST: Final = "manifest.json"
JOB: Final = "job.json"
PROGRAM: Final = "program.txt"
OPTIONS: Final = "options.json"
CALIBRATION: Final = "calibration.json"
RESULT: Final = "result.json"
PAGE: Final = "page.json"
"""Member of a ZIP file of several archives: their jobs, as an `AdminJobList`."""


def arrays_of(part: int) -> str:
    """Return the name of the member with the arrays of one circuit."""
    return f"parts/{part}.npz"


class MemberBody(msgspec.Struct, frozen=True, kw_only=True):
    """A member of an archive.

    Attributes:
        name: Name of the member.
        bytes: Its size in bytes.
        sha256: Digest of its bytes, in hexadecimal digits.
    """

    name: Annotated[str, msgspec.Meta(max_length=64)]
    bytes: Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class ManifestBody(msgspec.Struct, frozen=True, kw_only=True):
    """The manifest, which is the last member of an archive.

    Attributes:
        format: `qwicket-job`.
        version: Version of the format.
        job: Id of the job.
        members: All other members, in their order.
    """

    format: str
    version: int
    job: Id
    members: tuple[MemberBody, ...]


class OptionsBody(msgspec.Struct, frozen=True, kw_only=True):
    """How a program was run.

    Attributes:
        format: Format of the program.
        inputs: Values of the inputs that the program declares.
        options: Options of the run: shots, seed, outputs, noise model, engine and others; without
            the seed while the results of an exam are withheld.
    """

    format: str = ""
    inputs: dict[str, float] = {}
    options: dict[str, Any] = {}
