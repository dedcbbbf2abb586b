"""Results of jobs. Keys are bit strings, with the highest classical bit first."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from reprlib import Repr
from typing import TYPE_CHECKING, Any, Final, overload

from qwicket.clients.http import sanitize
from qwicket.clients.native import pages, plots
from qwicket.clients.native.errors import ClientError, JobFailed, UnexpectedResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from qwicket.schema.results import MitigationBody, OutcomeBody, Sample

_PACKED: Final = ("keys", "memory")
"""Arrays that are sent with eight bits per byte."""
_MAX_BARS: Final = 16
_SHOWN: Final = (
    "counts",
    "probabilities",
    "memory",
    "samples",
    "evs",
    "stds",
    "engine",
    "seed",
    "notes",
    "error",
)
_short: Final = Repr()
"""Shortens reprs: a result may have a million numbers, which would block a terminal."""
_short.maxdict, _short.maxstring, _short.maxother = 8, 64, 2_000


@dataclass(frozen=True)
class Part:
    """Result of one circuit.

    Attributes:
        counts: Shots per outcome: a bit string with the highest classical bit first.
        probabilities: Exact probabilities of these outcomes, if requested and known.
        memory: One outcome per shot in shot order, if requested.
        engine: Name and version of the engine.
        seed: Seed of the random numbers.
        seconds: Time spent in the engine, in seconds.
        error: Why the circuit has no result; None if it has one.
        samples: Numbers per shot, one for each measurement, of devices for atoms and photons.
            Quadratures are those of ħ = 2, so vacuum has variance 1. A heterodyne result
            (x + ip)/2 is a pair of its real and imaginary part.
        registers: Name and size of each classical register; the first has the lowest bits.
        notes: Remarks of the engine, such as `sampled_only`.
        evs: Expectation values of an estimation, one for each observable.
        stds: Standard error of each expectation value; 0 if the value is exact.
        mitigation: What error mitigation of these values has run; None without it.
    """

    counts: dict[str, int] = field(default_factory=dict)
    probabilities: dict[str, float] = field(default_factory=dict)
    memory: list[str] = field(default_factory=list)
    engine: str = ""
    seed: int | None = None
    seconds: float | None = None
    error: str | None = None
    samples: list[list[Sample]] = field(default_factory=list)
    registers: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()
    evs: list[float] = field(default_factory=list)
    stds: list[float] = field(default_factory=list)
    mitigation: MitigationBody | None = None

    @classmethod
    def from_body(cls, body: OutcomeBody) -> Part:
        """Return a part of the server's response as a `Part`."""
        error = body.error
        return cls(
            counts=body.counts or {},
            probabilities=body.probabilities or {},
            memory=body.memory or [],
            samples=body.samples or [],
            engine=f"{body.engine} {body.engine_version}".strip(),
            seed=body.seed,
            seconds=body.seconds,
            error=f"{sanitize(error.code)}: {sanitize(error.message)}" if error else None,
            registers=body.registers,
            notes=body.notes,
            evs=body.evs or [],
            stds=body.stds or [],
            mitigation=body.mitigation,
        )

    def __repr__(self) -> str:
        fields = ((name, getattr(self, name)) for name in _SHOWN)
        shown = (f"{name}={_short.repr(value)}" for name, value in fields if value or value == 0)
        return f"Part({', '.join(shown)})"

    @property
    def frequencies(self) -> dict[str, float]:
        """Share of the shots per outcome; unlike `probabilities`, with sampling noise."""
        total = sum(self.counts.values())
        return {key: count / total for key, count in self.counts.items()}

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Result as NumPy arrays, fetched from the server at the first access.

        Depending on the job's outputs: `keys` (uint8, outcomes × bits) with `counts` (int64) and
        `probabilities` (float64) in the same order; `memory` (uint8, shots × bits); `samples`
        (integers, float64 or complex128, shots × measurements, or shots × 1 × time bins); `evs` and
        `stds` (float64). Column *i* of bits is classical bit *i*.

        Raises:
            JobFailed: The circuit has no result.
            ClientError: The request failed, or `AsyncJob` has not fetched the arrays.
        """
        if self.error is not None:
            raise JobFailed(self.error)
        if "_content" not in self.__dict__:
            fetch: Callable[[], bytes] | None = self.__dict__.get("_fetch")
            if fetch is None:
                raise ClientError("The arrays were not fetched: call result(arrays=True).")
            self.fill(fetch())
        return self._arrays

    def fill(self, content: bytes | Callable[[], bytes]) -> None:
        """Set the npz file of the arrays, or the function that fetches it."""
        # Through `__dict__`, because the class is frozen.
        self.__dict__["_content" if isinstance(content, bytes) else "_fetch"] = content

    @property
    def shots_text(self) -> str:
        """Number of shots as text; "" without shots."""
        shots = sum(self.counts.values()) or len(self.memory) or len(self.samples)
        return f"{shots:,} shot{'s' if shots != 1 else ''}" if shots else ""

    def plot(
        self, axes: Any = None, *, top: int = _MAX_BARS, title: str = "", sort: plots.Sort = "key"
    ) -> Any:
        """Draw the most frequent outcomes, or the expectation values with their standard errors.

        Args:
            axes: Matplotlib axes to draw into; by default new ones.
            top: Number of bars at most.
            title: Title; by default the number of shots, if there are any.
            sort: `key` sorts by outcome, `height` puts the most frequent first.

        Returns:
            The axes; None if matplotlib is not installed and the bars were printed.

        Raises:
            JobFailed: The circuit has no result.
        """
        if self.error is not None:
            raise JobFailed(self.error)
        if self.evs:
            text = plots.values_text(self.evs, self.stds, top)
            drawn = plots.draw_values(self.evs, self.stds, title, axes)
        else:
            rows, left_out = plots.highest(plots.heights(self), top, sort)
            text = plots.text(rows, left_out)
            label = "shots" if self.counts or not self.probabilities else "probability"
            drawn = plots.draw(rows, left_out, label, title or self.shots_text, axes)
        if drawn is None:
            sys.stdout.write(f"{text}\n")
        return drawn

    def _repr_html_(self) -> str:
        if self.error is not None:
            return pages.table([("error", self.error)])
        if self.evs:
            return pages.table(plots.values(self.evs, self.stds))
        return pages.bars(*plots.highest(plots.heights(self), _MAX_BARS))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_fetch"}

    @cached_property
    def _arrays(self) -> dict[str, NDArray[Any]]:
        import numpy as np

        try:
            with np.load(io.BytesIO(self.__dict__["_content"]), allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
            reason = type(error).__name__
        else:
            n_bits = sum(size for _, size in self.registers)
            return {
                name: _unpacked(array, n_bits) if name in _PACKED else array
                for name, array in arrays.items()
            }
        raise UnexpectedResponse(f"The response is not an archive of NumPy arrays ({reason}).")


def _unpacked(packed: NDArray[Any], n_bits: int) -> NDArray[np.uint8]:
    import numpy as np

    return np.unpackbits(packed, axis=1, count=n_bits, bitorder="little")


@dataclass(frozen=True)
class Result(Sequence[Part]):
    """Sequence of the results of a job's circuits, in the order of submission.

    For a job of one circuit, the attributes of its part are available here, such as `counts`; for
    other jobs these raise `ValueError`.

    Attributes:
        job: Id of the job.
        parts: Result of each circuit.
        device: Name of the device.
    """

    job: str
    parts: tuple[Part, ...]
    device: str = ""

    def __repr__(self) -> str:
        return f"Result(job={self.job!r}, parts={_short.repr(self.parts)})"

    def __len__(self) -> int:
        return len(self.parts)

    @overload
    def __getitem__(self, index: int) -> Part: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Part, ...]: ...
    def __getitem__(self, index: int | slice) -> Part | tuple[Part, ...]:
        return self.parts[index]

    def __iter__(self) -> Iterator[Part]:
        return iter(self.parts)

    @property
    def counts(self) -> dict[str, int]:
        """Shots per outcome of a job of one circuit."""
        return self._only().counts

    @property
    def probabilities(self) -> dict[str, float]:
        """Exact probabilities of a job of one circuit, if requested and known."""
        return self._only().probabilities

    @property
    def frequencies(self) -> dict[str, float]:
        """Share of the shots per outcome of a job of one circuit."""
        return self._only().frequencies

    @property
    def memory(self) -> list[str]:
        """Outcomes in shot order of a job of one circuit."""
        return self._only().memory

    @property
    def samples(self) -> list[list[Sample]]:
        """Numbers per shot of a job of one circuit."""
        return self._only().samples

    @property
    def evs(self) -> list[float]:
        """Expectation values of an estimation of one circuit, one for each observable."""
        return self._only().evs

    @property
    def stds(self) -> list[float]:
        """Standard error of each expectation value of an estimation of one circuit."""
        return self._only().stds

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """NumPy arrays of a job of one circuit; see `Part.arrays`."""
        return self._only().arrays

    def plot(
        self, axes: Any = None, *, top: int = _MAX_BARS, title: str = "", sort: plots.Sort = "key"
    ) -> Any:
        """Draw the most frequent outcomes of a job of one circuit; see `Part.plot`.

        By default the title is the device and the number of shots.

        Raises:
            ValueError: The job has several circuits.
        """
        if len(self.parts) > 1:
            raise ValueError(
                f"The job has {len(self.parts)} circuits. Plot each one by its number:"
                " result[0].plot()."
            )
        part = self._only()
        title = title or ", ".join(filter(None, (self.device, part.shots_text)))
        return part.plot(axes, top=top, title=title, sort=sort)

    def _repr_html_(self) -> str:
        shown = [part._repr_html_() for part in self.parts[:_MAX_BARS]]
        left_out = len(self.parts) - len(shown)
        return "".join(shown) + (f"<p>… and {left_out} more circuits</p>" if left_out else "")

    def _only(self) -> Part:
        if len(self.parts) != 1:
            raise ValueError(f"The job has {len(self.parts)} circuits: use .parts.")
        (part,) = self.parts
        if part.error is not None:
            raise JobFailed(part.error)
        return part
