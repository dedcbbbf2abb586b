from __future__ import annotations

from msgspec import structs

from qwicket import engines
from qwicket.circuits.atom_costs import summarise
from qwicket.circuits.options import RunOptions
from unit.engines.atoms.circuits import spins

OPTIONS = RunOptions(shots=1, seed=0, outputs=())


def test_estimate_grows_with_gates_and_with_numbers_returned() -> None:
    small = spins([40], ("rlx", [0], [1.0]))
    bare = engines.estimate(summarise((small,)), OPTIONS)
    assert bare.state_qubits == 0
    assert bare.seconds < 0.01
    strong = spins([63, 63], ("multiqudit_full", [0, 1], [5e6, 0.0, 0.0, 0.0, 0.0]))
    assert engines.estimate(summarise((strong,)), OPTIONS).seconds > 10
    many = summarise((structs.replace(small, shots=1_000_000),))
    assert engines.estimate(many, OPTIONS).bytes - bare.bytes >= 16_000_000
    assert 0.1 < engines.estimate(many, OPTIONS).seconds < 1


def test_nobody_asks_for_an_engine_by_name() -> None:
    summary = summarise((spins([1]),))
    assert engines.list_installed("atoms") == ()
    assert engines.unsupported_reason(summary, OPTIONS) is None
