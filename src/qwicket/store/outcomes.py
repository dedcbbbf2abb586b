"""Results of the parts of jobs: small ones in rows, large ones in chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.circuits.outcomes import Encoded
from qwicket.model.failures import Failure
from qwicket.store import rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.circuits.outcomes import PartResult
    from qwicket.store.database import Row, Tx

_CHUNK_BYTES: Final = 1 << 20
"""Larger results are stored in chunks of this size."""
_PUBLISHED_BYTES: Final = 32 << 10
"""Size of results up to which a `JobChange` contains them."""


def chunks(result: PartResult) -> list[bytes]:
    """Return the chunks of a large result, or an empty list for a small one."""
    body = b"" if isinstance(result, Failure) else result.body
    if len(body) <= _CHUNK_BYTES:
        return []
    return [body[start : start + _CHUNK_BYTES] for start in range(0, len(body), _CHUNK_BYTES)]


def size(result: PartResult) -> int:
    """Return what a result counts for its project."""
    if isinstance(result, Failure):
        return len((rows.failure_columns(result)["error_text"] or "").encode())
    return len(result.body)


def add(tx: Tx, job: str, results: Sequence[PartResult]) -> None:
    """Store the results of the parts, large ones in chunks in `blob`."""
    tx.run_each(
        "outcome_add",
        [
            {"job": job, "part": part, **_columns_writing_chunks(tx, each)}
            for part, each in enumerate(results)
        ],
    )


def _columns_writing_chunks(tx: Tx, result: PartResult) -> dict[str, object]:
    """Return a result's columns; write the chunks of a large one if they are missing."""
    if isinstance(result, Failure):
        return {"body": None, "sha256": None, **rows.failure_columns(result)}
    large = chunks(result)
    if large and tx.one("blob_size", sha256=result.sha256) != (len(result.body),):
        for number, chunk in enumerate(large):
            tx.run("blob_add", sha256=result.sha256, part=number, bytes=chunk)
    return {
        "body": None if large else result.body,
        "sha256": result.sha256,
        **rows.failure_columns(None),
    }


def read(tx: Tx, job: str, part: int | None, count: int = 1) -> list[PartResult]:
    """Return the results of the parts, or of `count` of them from `part` on, in order."""
    if part is None:
        found = tx.all("outcome_list", id=job)
    elif count == 1:
        found = tx.all("outcome_get", id=job, part=part)
    else:
        found = tx.all("outcome_range", id=job, part=part, before=part + count)
    return [_result(tx, row) for row in found]


def _result(tx: Tx, row: Row) -> PartResult:
    _, body, sha256, error_code, error_text = row
    if error_code is not None:
        return Failure(error_code, error_text)
    if body is None:
        body = b"".join(chunk for (chunk,) in tx.all("blob_get", sha256=sha256))
    return Encoded(body, sha256)


def if_small(results: Sequence[PartResult]) -> Sequence[PartResult] | None:
    """Return results that are small enough to be part of a `JobChange`, else None."""
    size = sum(len(each.body) for each in results if isinstance(each, Encoded))
    return results if size <= _PUBLISHED_BYTES else None
