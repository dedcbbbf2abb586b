"""Analog Hamiltonian simulation of Rydberg atoms: programs, capabilities and results.

Numbers are in SI units, frequencies in radians per second. As in Braket's schemas, they are texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from qwicket.vendors.braket.ahs import C6

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.circuits.outcomes import Outcome

ACTION: Final = "braket.ir.ahs.program"
FORMAT: Final = "ahs"

# Clients round and check programs by the ranges and resolutions below. They are of the order of
# today's machines; the engine accepts values beyond them.
_GEOMETRY: Final = {
    "spacingRadialMin": "4e-6",
    "spacingVerticalMin": "4e-6",
    "positionResolution": "1e-9",
}
_SIDE: Final = "1e-4"
_DRIVE: Final = {
    "rabiFrequencyRange": ("0", "1.6e7"),
    "rabiFrequencyResolution": "1",
    "rabiFrequencySlewRateMax": "1e16",
    "detuningRange": ("-1.3e8", "1.3e8"),
    "detuningResolution": "1",
    "detuningSlewRateMax": "1e16",
    "phaseRange": ("-99", "99"),
    "phaseResolution": "1e-6",
    "timeResolution": "1e-9",
    "timeDeltaMin": "1e-9",
    "timeMin": "0",
    "timeMax": "2e-5",
}
_LATTICE_ERRORS: Final = (
    "positionErrorAbs",
    "sitePositionError",
    "atomPositionError",
    "fillingErrorTypical",
    "fillingErrorWorst",
    "vacancyErrorTypical",
    "vacancyErrorWorst",
    "atomLossProbabilityTypical",
    "atomLossProbabilityWorst",
    "atomCaptureProbabilityTypical",
    "atomCaptureProbabilityWorst",
    "atomDetectionErrorFalsePositiveTypical",
    "atomDetectionErrorFalsePositiveWorst",
    "atomDetectionErrorFalseNegativeTypical",
    "atomDetectionErrorFalseNegativeWorst",
)
_DRIVE_ERRORS: Final = (
    "rabiFrequencyErrorRel",
    "rabiFrequencyGlobalErrorRel",
    "rabiFrequencyInhomogeneityRel",
    "groundDetectionError",
    "rydbergDetectionError",
    "groundPrepError",
    "rydbergPrepErrorBest",
    "rydbergPrepErrorWorst",
    "detuningError",
    "detuningInhomogeneity",
)
_LIFETIMES: Final = (
    *("T1Single", "T1Ensemble", "T2StarSingle", "T2StarEnsemble", "T2EchoSingle", "T2EchoEnsemble"),
    *("T2RabiSingle", "T2RabiEnsemble", "T2BlockadedRabiSingle", "T2BlockadedRabiEnsemble"),
)
_NO_DECAY_S: Final = "1e6"
"""The simulated atoms do not decay, but the schema asks for finite numbers."""


class Setup(msgspec.Struct, frozen=True):
    """Positions of the atoms, as the program contains them."""

    ahs_register: msgspec.Raw


class _Source(msgspec.Struct, frozen=True):
    """A program in our format `ahs`."""

    register: msgspec.Raw
    hamiltonian: msgspec.Raw


_source = msgspec.json.Decoder(_Source)


def source(setup: Setup, hamiltonian: msgspec.Raw) -> bytes:
    """Return a program in our format `ahs`."""
    return msgspec.json.encode(_Source(setup.ahs_register, hamiltonian))


def action(program: bytes) -> dict[str, Any]:
    """Return a program in our format as Braket writes it."""
    stored = _source.decode(program)
    return {
        "braketSchemaHeader": {"name": ACTION, "version": "1"},
        "setup": {"ahs_register": stored.register},
        "hamiltonian": stored.hamiltonian,
    }


def paradigm(n_atoms: int) -> dict[str, Any]:
    """Return what a device of simulated atoms can do, and that it makes no errors."""
    return {
        "braketSchemaHeader": {
            "name": "braket.device_schema.quera.quera_ahs_paradigm_properties",
            "version": "1",
        },
        "qubitCount": n_atoms,
        "lattice": {
            "area": {"width": _SIDE, "height": _SIDE},
            "geometry": {**_GEOMETRY, "numberSitesMax": n_atoms},
        },
        "rydberg": {"c6Coefficient": repr(C6), "rydbergGlobal": _DRIVE},
        "performance": {
            "lattice": dict.fromkeys(_LATTICE_ERRORS, "0"),
            "rydberg": {
                "rydbergGlobal": {
                    **dict.fromkeys(_DRIVE_ERRORS, "0"),
                    **dict.fromkeys(_LIFETIMES, _NO_DECAY_S),
                    "rabiAmplitudeRampCorrection": [],
                }
            },
        },
    }


def measurements(outcome: Outcome) -> list[dict[str, Any]]:
    """Return shots: 1 is an atom that is seen. An excited atom is lost, so 0 in `postSequence`.

    Sites that were empty at the start, -1 in results of machines, are 0 in both sequences.
    """
    return [_shot(sample) for sample in outcome.each_sample()]


def _shot(sites: Sequence[int]) -> dict[str, Any]:
    return {
        "shotMetadata": {"shotStatus": "Success"},
        "shotResult": {
            "preSequence": [int(each >= 0) for each in sites],
            "postSequence": [int(each == 0) for each in sites],
        },
    }
