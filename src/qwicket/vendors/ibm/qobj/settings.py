"""Settings of a document beside its circuits, for dialects that submit it as a job.

Instructions are not decoded, so this is quick for large documents, too. A job has one number of
shots, one seed and one method: experiments that differ in them are refused.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from qwicket.model.errors import InvalidProgram
from qwicket.programs import json_text
from qwicket.vendors.ibm.qobj.wire import Config, place_of_path

T = TypeVar("T")


class ExperimentSettings(msgspec.Struct, frozen=True):
    """Settings of one experiment.

    Attributes:
        header: Its header as JSON, byte for byte; `{}` without one. Results repeat it.
        memory: Whether results contain the outcome of each shot.
    """

    header: msgspec.Raw
    memory: bool


class Settings(msgspec.Struct, frozen=True):
    """Settings of a document; None for missing ones.

    Attributes:
        qobj_id: The client's name for it.
        header: Its header as JSON, byte for byte.
        shots: Shots per circuit.
        config_shots: Shots in the document's config, which those of the experiments may replace.
        seed: Seed of the simulator.
        method: Simulation method, as the client named it.
        n_qubits: Qubits that the document's config states, else the maximum of those that the
            experiments' configs state.
        memory_slots: Classical bits, likewise.
        experiments: Settings of each experiment.
    """

    qobj_id: str
    header: msgspec.Raw
    shots: int | None
    config_shots: int | None
    seed: int | None
    method: str | None
    n_qubits: int | None
    memory_slots: int | None
    experiments: tuple[ExperimentSettings, ...]


class _Experiment(msgspec.Struct):
    config: Config | None = None
    header: msgspec.Raw = msgspec.Raw(b"{}")


class _Qobj(msgspec.Struct):
    qobj_id: str
    config: Config
    header: msgspec.Raw
    experiments: tuple[_Experiment, ...]


_decoder: Final = msgspec.json.Decoder(_Qobj)


def settings(source: bytes) -> Settings:
    """Return the settings of a Qobj.

    An experiment's shots, seed, method and memory take precedence over those of the Qobj.

    Args:
        source: JSON text, no larger than a program may be.

    Raises:
        InvalidProgram: The text is not a Qobj, or its experiments differ in a setting that all
            circuits of a job share.
    """
    qobj = json_text.decode(_decoder, source, place_of_path)
    _check_header(qobj.header, "header")
    for number, experiment in enumerate(qobj.experiments):
        _check_header(experiment.header, f"experiments[{number}].header")
    configs = [experiment.config or Config() for experiment in qobj.experiments]
    memory = [_own(qobj.config.memory, config.memory) for config in configs]
    return Settings(
        qobj_id=qobj.qobj_id,
        header=qobj.header.copy(),
        shots=_common("shots", qobj.config.shots, [config.shots for config in configs]),
        config_shots=qobj.config.shots,
        seed=_common(
            "seed_simulator",
            qobj.config.seed_simulator,
            [config.seed_simulator for config in configs],
        ),
        method=_common("method", qobj.config.method, [config.method for config in configs]),
        n_qubits=_largest(qobj.config.n_qubits, [config.n_qubits for config in configs]),
        memory_slots=_largest(
            qobj.config.memory_slots, [config.memory_slots for config in configs]
        ),
        experiments=tuple(
            [
                ExperimentSettings(experiment.header.copy(), bool(wants_memory))
                for experiment, wants_memory in zip(qobj.experiments, memory, strict=True)
            ]
        ),
    )


def _largest(outer: int | None, inner: list[int | None]) -> int | None:
    given = [each for each in inner if each is not None]
    return max(given, default=None) if outer is None else outer


def _common(name: str, outer: T | None, inner: list[T | None]) -> T | None:
    """Return the value that all experiments agree on."""
    # `inner` is empty for a document without experiments, which only the reader refuses.
    given = [_own(outer, each) for each in inner] or [outer]
    for number, each in enumerate(given):
        if each != given[0]:
            at = f"experiments[{number}].config.{name}"
            raise InvalidProgram(f"{at} differs from that of experiment 0", field=at)
    return given[0]


def _own(outer: T | None, inner: T | None) -> T | None:
    return outer if inner is None else inner


def _check_header(header: msgspec.Raw, at: str) -> None:
    # The first byte is enough: the decoder has checked the JSON and removed blanks before it.
    if bytes(header)[:1] != b"{":
        raise InvalidProgram(f"{at} must be an object", field=at)
