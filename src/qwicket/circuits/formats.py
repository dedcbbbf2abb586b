"""A format of programs, as `programs` and vendors register it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Final

from qwicket.circuits import analysis, atom_costs, photonic
from qwicket.model.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qwicket.circuits.summary import Checked
    from qwicket.model.devices import Family
    from qwicket.model.limits import Limits

INLINE_BYTES: Final = 4 << 10
"""Under small limits, texts up to this size are read within milliseconds."""


_TO_CHECKED: Final[Mapping[Family, Callable[..., Checked]]] = {
    "qubit": analysis.to_checked,
    "atoms": atom_costs.to_checked,
    "photonic": photonic.to_checked,
}


@dataclass(frozen=True, kw_only=True)
class Format:
    """A language that programs come in. Names of functions are written "module:function".

    Attributes:
        name: Name of the format in submissions.
        version: Increased when the reader returns other circuits for the same source.
        reader: Name of the function that reads a source under limits, and with the values of its
            inputs if it has any. It raises only `QwicketError`.
        title: Its name in a sentence; formats of one family, such as `x.a` and `x.b`, share one.
        description: Description in one sentence.
        family: Family of the devices that take it.
        has_inputs: Whether its programs declare inputs.
        inline_bytes: Size of the largest source that the server reads itself, without a parser
            process, under small limits; 0 for none.
        completer: Name of the function that returns a source under limits with what it leaves to
            chance drawn. The completed source is stored, and has the same circuits each time.
        checker: Name of the function that packs circuits and summarises them, where they differ
            from those of the family.
        must_measure: Whether a program without measurements is refused. Other formats measure
            everything at the end or declare what is measured. Qobj accepts such a program, as
            Qiskit's own simulators do, and returns zeros.
        is_for_labs: Whether a lab's device may take it.
        in_batches: Whether a batch of programs may have such ones.
        json_keys: Keys of JSON, each in its quotes, by one of which it is recognised.
        is_general: Whether other formats may have these keys as well, so that it is tried last.
        is_guessed: Whether a text counts as this format if a submission states none.
        recogniser: Name of the function that says whether a text that is not JSON is this format.
        writer: Name of the function that writes circuits in it; it raises `NotWritable`.
        writes_estimations: Whether the writer takes circuits with expectation values.
        native_compiler: Name of the function that compiles a circuit to native gates of trapped
            ions, from the circuit, the entangling gate and the limits, into what JSON can hold.
        layouts: Module that reads layouts, the circuits of devices that run one circuit only.
    """

    name: str
    version: int
    reader: str
    title: str
    description: str
    family: Family = "qubit"
    has_inputs: bool = False
    inline_bytes: int = 0
    completer: str = ""
    checker: str = ""
    must_measure: bool = False
    is_for_labs: bool = True
    in_batches: bool = False
    json_keys: tuple[bytes, ...] = ()
    is_general: bool = False
    is_guessed: bool = False
    recogniser: str = ""
    writer: str = ""
    writes_estimations: bool = False
    native_compiler: str = ""
    layouts: str = ""

    def read(self, source: bytes, limits: Limits, inputs: Mapping[str, float]) -> Sequence[Any]:
        """Return a program's circuits.

        Raises:
            InvalidRequest: The format has no inputs although some are given.
            InvalidProgram: The source is refused.
            LimitExceeded: A limit is exceeded.
        """
        if self.has_inputs:
            return self._reader(source, limits, inputs)
        if inputs:
            raise InvalidRequest(f"inputs: {self.name} has no inputs.", field="inputs")
        return self._reader(source, limits)

    def load(self) -> None:
        """Import the reader, which the first program would otherwise wait for."""
        _ = self._reader

    def complete(self, source: bytes, limits: Limits) -> bytes:
        """Return a source with what it leaves to chance drawn; itself if it leaves nothing.

        Raises:
            InvalidProgram: The source is refused.
            LimitExceeded: A limit is exceeded.
        """
        if not self.completer:
            return source
        completed: bytes = resolve_name(self.completer)(source, limits)
        return completed

    @cached_property
    def to_checked(self) -> Callable[..., Checked]:
        """Packs circuits and summarises them."""
        return resolve_name(self.checker) if self.checker else _TO_CHECKED[self.family]

    @cached_property
    def is_this(self) -> Callable[[str], bool]:
        """Says whether a text that is not JSON is this format."""
        return resolve_name(self.recogniser) if self.recogniser else lambda _: False

    @cached_property
    def _reader(self) -> Callable[..., Sequence[Any]]:
        found: Callable[..., Sequence[Any]] = resolve_name(self.reader)
        return found
