"""All formats of programs: the core's own, and those of vendors."""

from __future__ import annotations

from collections.abc import Mapping
from pkgutil import resolve_name
from types import MappingProxyType
from typing import Final

from qwicket.circuits.formats import INLINE_BYTES, Format
from qwicket.registrations import vendors

_FORMATS: Final = (
    Format(
        name="openqasm2",
        version=1,
        reader="qwicket.programs.openqasm:read_openqasm2",
        has_inputs=True,
        inline_bytes=INLINE_BYTES,
        title="OpenQASM 2",
        description="OpenQASM 2, the whole language.",
        must_measure=True,
        in_batches=True,
    ),
    Format(
        name="openqasm3",
        version=1,
        reader="qwicket.programs.openqasm:read_openqasm3",
        has_inputs=True,
        inline_bytes=INLINE_BYTES,
        title="OpenQASM 3",
        description="OpenQASM 3 without run-time arithmetic and pulses.",
        must_measure=True,
        in_batches=True,
    ),
    Format(
        name="qir",
        version=1,
        reader="qwicket.programs.qir:read",
        title="QIR",
        description="QIR of the base profile, as LLVM's text.",
        in_batches=True,
    ),
    Format(
        name="batch",
        version=1,
        reader="qwicket.programs:read_batch",
        title="a batch of programs in JSON",
        description=("Several programs in one job, each with a format of its own."),
        must_measure=True,
        is_for_labs=False,
    ),
    Format(
        name="estimation",
        version=1,
        reader="qwicket.programs:read_estimation",
        has_inputs=True,
        title="an estimation in JSON",
        description="Expectation values of a program, with error mitigation.",
        json_keys=(b'"observables"',),
        is_guessed=True,
    ),
)

FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        known.name: known
        for known in (
            *_FORMATS,
            *[each for it in vendors() for name in it.formats for each in resolve_name(name)],
        )
    }
)
"""Every known format by its name."""
