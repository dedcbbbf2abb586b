"""A noise model as a file holds it."""

from __future__ import annotations

from textwrap import dedent

import msgspec
import pytest

from qwicket.circuits import noise
from qwicket.circuits.noise import GateNoise, NoiseModel, ReadoutError
from support.for_each import for_each


def test_example_in_the_docstring_is_a_model() -> None:
    _, _, rest = (noise.__doc__ or "").partition("\n\n")
    example, _, _ = rest.partition("\n\nNoise follows")
    model = msgspec.toml.decode(dedent(example), type=NoiseModel)
    assert model.one_qubit.depolarizing == pytest.approx(0.75 * 0.0005)
    assert model.two_qubit.depolarizing == pytest.approx(15 / 16 * 0.0133)
    assert model.gates == {"rz": GateNoise()}
    assert model.readout == ReadoutError(one_for_zero=0.004, zero_for_one=0.006)


def test_model_survives_toml_json_and_msgpack() -> None:
    model = NoiseModel(
        name="a",
        source="b",
        two_qubit=GateNoise(depolarizing=0.5),
        gates={"cx": GateNoise(phase_damping=0.25)},
        readout_of={3: ReadoutError(one_for_zero=1.0)},
    )
    for codec in (msgspec.json, msgspec.msgpack):
        assert codec.decode(codec.encode(model), type=NoiseModel) == model
    text = 'name = "a"\nsource = "b"\n[readout_of.3]\none_for_zero = 1.0'
    assert msgspec.toml.decode(text, type=NoiseModel).readout_of == model.readout_of


@for_each(
    "text",
    [
        'name = "a"',
        'name = "a"\nsource = "b"\nidle = 1',
        'name = "a"\nsource = "b"\none_qubit = { depolarizing = 1.5 }',
        'name = "a"\nsource = "b"\none_qubit = { depolarizing = -0.1 }',
        'name = "a"\nsource = "b"\none_qubit = { depolarizing = nan }',
        'name = "a"\nsource = "b"\nreadout = { one_for_zero = inf }',
        'name = "a"\nsource = "b"\nreadout_of.first = { one_for_zero = 0.1 }',
    ],
)
def test_what_is_no_model_is_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.toml.decode(text, type=NoiseModel)
