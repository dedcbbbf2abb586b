"""Noise models that together use every field, and circuits for them."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

from qwicket.circuits.noise import GateNoise, NoiseModel, ReadoutError, Relaxation, SiteNoise
from qwicket.circuits.qubit import Gate
from support import qubit_math

QUIET = GateNoise()


def model(
    one_qubit: GateNoise = QUIET,
    two_qubit: GateNoise = QUIET,
    **others: object,
) -> NoiseModel:
    gates = NoiseModel(name="", source="", one_qubit=one_qubit, two_qubit=two_qubit)
    return msgspec.structs.replace(gates, **others)


def x(qubit: int) -> Gate:
    return Gate("x", (qubit,))


def cx(control: int, target: int) -> Gate:
    return Gate("x", (target,), (), (control,))


MIXED = model(
    GateNoise(depolarizing=0.02, amplitude_damping=0.03, phase_damping=0.04),
    GateNoise(depolarizing=0.05, amplitude_damping=0.02, phase_damping=0.01),
    gates={"rz": GateNoise()},
    readout=ReadoutError(one_for_zero=0.03, zero_for_one=0.05),
    readout_of={1: ReadoutError(one_for_zero=0.2)},
)
PAULIS = msgspec.structs.replace(
    MIXED,
    one_qubit=GateNoise(depolarizing=0.02, phase_damping=0.04),
    two_qubit=GateNoise(depolarizing=0.05, phase_damping=0.01),
)
GATES = (
    *qubit_math.scrambling(3),
    *(cx(0, 1), cx(1, 2), Gate("rz", (1,), (0.8,)), Gate("rxx", (2, 0), (0.7,))),
    *(Gate("x", (2,), (), (0, 1)), Gate("h", (1,)), cx(2, 0), Gate("ry", (0,), (1.2,))),
)
LOCAL = msgspec.structs.replace(
    MIXED,
    multi_qubit=GateNoise(depolarizing=0.02, duration_s=0.03),
    sites=(
        SiteNoise(qubits=(0,), default=GateNoise(depolarizing=0.2, duration_s=0.1)),
        SiteNoise(
            qubits=(2, 1),
            default=GateNoise(depolarizing=0.1, amplitude_damping=0.05, duration_s=0.2),
            gates={"cx": GateNoise(phase_damping=0.3, duration_s=0.1)},
            multi_qubit=GateNoise(depolarizing=0.3),
        ),
    ),
    relaxation=Relaxation(t1_s=2.0, t2_s=1.0),
    relaxation_of={1: Relaxation(t1_s=0.5, t2_s=0.7), 2: Relaxation(t2_s=0.9, relaxes_to="mixed")},
)
HOT = msgspec.structs.replace(
    PAULIS,
    one_qubit=GateNoise(depolarizing=0.01, duration_s=0.05),
    two_qubit=GateNoise(depolarizing=0.03, duration_s=0.2),
    relaxation=Relaxation(t1_s=1.0, t2_s=1.0, relaxes_to="mixed"),
    relaxation_of={1: Relaxation(t1_s=0.4, t2_s=0.8, relaxes_to="mixed")},
)
MODELS = {"damped": MIXED, "Paulis": PAULIS, "local": LOCAL, "hot": HOT}


rates = st.one_of(st.just(0.0), st.floats(0, 1))
gate_noises = st.builds(
    GateNoise,
    depolarizing=rates,
    amplitude_damping=rates,
    phase_damping=rates,
    duration_s=st.floats(0, 1),
)
readouts = st.builds(ReadoutError, one_for_zero=rates, zero_for_one=rates)
relaxations = st.builds(
    Relaxation,
    t1_s=st.floats(0.1, 10),
    t2_s=st.floats(0.01, 0.2),
    relaxes_to=st.sampled_from(["zero", "mixed"]),
)
sites = st.builds(
    SiteNoise,
    qubits=st.lists(st.integers(0, 2), min_size=1, max_size=2, unique=True).map(tuple),
    default=gate_noises,
    gates=st.dictionaries(st.sampled_from(["h", "cx", "rxx"]), gate_noises, max_size=1),
    multi_qubit=st.none() | gate_noises,
)
models = st.builds(
    NoiseModel,
    name=st.just(""),
    source=st.just(""),
    one_qubit=gate_noises,
    two_qubit=gate_noises,
    gates=st.dictionaries(st.sampled_from(["h", "cx", "ccx", "rxx"]), gate_noises, max_size=2),
    readout=readouts,
    multi_qubit=st.none() | gate_noises,
    sites=st.lists(sites, max_size=2, unique_by=lambda site: frozenset(site.qubits)).map(tuple),
    relaxation=relaxations,
    relaxation_of=st.dictionaries(st.integers(0, 2), relaxations, max_size=2),
    readout_of=st.dictionaries(st.integers(0, 2), readouts, max_size=2),
)
