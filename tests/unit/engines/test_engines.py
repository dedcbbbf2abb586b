"""The façade: packed circuits in, encoded outcomes or failures out."""

from __future__ import annotations

import logging
import subprocess
import sys
from textwrap import dedent

import msgspec
import pytest

from qwicket import engines
from qwicket.circuits import photonic
from qwicket.circuits.noise import GateNoise, NoiseModel, ReadoutError
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Encoded, Outcome, PartResult, decode
from qwicket.circuits.qubit import Gate, QubitCircuit, pack
from qwicket.circuits.summary import Summary
from qwicket.engines.qubit import engine
from qwicket.model.failures import Failure
from support import qubit_math

ALL = ("counts", "memory", "probabilities")
BELL = qubit_math.measured(2, [Gate("h", (0,)), Gate("x", (1,), (), (0,))])
COUNTED = RunOptions(shots=1_000, seed=0, outputs=("counts",))
IMPOSSIBLE = qubit_math.measured(1, [Gate("warp", (0,))])


def options(shots: int = 200, seed: int = 7, outputs: tuple[str, ...] = ALL) -> bytes:
    return msgspec.msgpack.encode(RunOptions(shots=shots, seed=seed, outputs=outputs))


def run(*circuits: QubitCircuit, shots: int = 200, seed: int = 7) -> tuple[PartResult, ...]:
    return engines.run("qubit", pack(circuits), options(shots, seed))


def outcome(result: PartResult) -> Outcome:
    assert isinstance(result, Encoded)
    return decode(result)


def arrays(result: PartResult) -> dict[str, object]:
    return {name: msgspec.structs.astuple(a) for name, a in outcome(result).arrays.items()}


def test_bell_pair_gives_zeros_and_ones() -> None:
    (result,) = run(BELL)
    made = outcome(result)
    assert made.probabilities() == pytest.approx({0: 0.5, 3: 0.5}, abs=1e-15)
    assert set(made.counts()) == {0, 3}
    assert sum(made.counts().values()) == len(made.memory()) == 200


def test_parts_come_in_the_order_of_the_circuits() -> None:
    flips = [qubit_math.measured(3, [Gate("x", (qubit,))]) for qubit in range(3)]
    found = [outcome(result).counts() for result in run(*flips, shots=5)]
    assert found == [{1: 5}, {2: 5}, {4: 5}]


def test_no_circuits_give_no_parts() -> None:
    assert run() == ()


def test_same_seed_gives_the_same_bytes() -> None:
    assert arrays(run(BELL, seed=3)[0]) == arrays(run(BELL, seed=3)[0])
    assert arrays(run(BELL, seed=3)[0]) != arrays(run(BELL, seed=4)[0])


def test_same_circuit_twice_draws_other_shots() -> None:
    first, second = run(BELL, BELL)
    assert arrays(first) != arrays(second)


def test_part_does_not_depend_on_what_ran_before_it() -> None:
    """Seeds are those of the part's place, so that batching changes nothing."""
    other = qubit_math.measured(4, qubit_math.scrambling(4))
    assert arrays(run(BELL, BELL)[1]) == arrays(run(other, BELL)[1])


def test_part_that_cannot_run_leaves_the_others() -> None:
    good, bad, also_good = run(BELL, IMPOSSIBLE, BELL)
    assert isinstance(good, Encoded)
    assert isinstance(also_good, Encoded)
    assert isinstance(bad, Failure)
    assert bad.code == "unsupported"
    assert bad.message == "no engine here knows the gate 'warp'"


def test_part_without_memory_leaves_the_others() -> None:
    wide = qubit_math.measured(48, [Gate("t", (0,)), *qubit_math.chain(48)])
    good, bad, also_good = run(BELL, wide, BELL)
    assert isinstance(good, Encoded)
    assert isinstance(also_good, Encoded)
    assert bad == Failure("out_of_memory", "The circuit needs more memory than its worker may use.")


def test_memory_limit_of_the_worker_fails_one_part_and_not_the_process() -> None:
    """Qulacs ends the process when it cannot allocate: the engine must ask before it does."""
    script = """
        import resource, msgspec
        from support import qubit_math
        from qwicket import engines
        from qwicket.circuits.qubit import Gate, pack
        from qwicket.circuits.options import RunOptions
        engines.warm_up()
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        circuits = tuple(
            qubit_math.measured(n, [Gate("t", (0,)), *qubit_math.chain(n)]) for n in (2, 27, 2)
        )
        options = RunOptions(shots=1, seed=0, outputs=("counts",))
        for part in engines.run("qubit", pack(circuits), msgspec.msgpack.encode(options)):
            print(getattr(part, "code", "fine"))
    """
    assert spawn(script) == ["fine", "out_of_memory", "fine"]


def test_unknown_error_is_logged_under_an_id_and_reported_by_it_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(task: object) -> None:
        raise RuntimeError("/secret/path")

    monkeypatch.setattr(engine, "choose", broken)
    with caplog.at_level(logging.ERROR, "qwicket.engines"):
        (result,) = run(BELL)
    assert isinstance(result, Failure)
    assert result.code == "internal_error"
    assert "secret" not in result.message
    arguments = caplog.records[0].args
    assert isinstance(arguments, tuple)
    number = str(arguments[0])
    assert len(number) == 16
    assert number in result.message


def test_unknown_family_is_an_error_of_ours() -> None:
    with pytest.raises(KeyError, match="alchemy"):
        engines.run("alchemy", pack((BELL,)), options())


def test_warm_is_quiet_and_can_be_repeated() -> None:
    engines.warm_up()
    engines.warm_up()


def test_warm_worker_has_imported_every_engine() -> None:
    script = """
        import sys
        from qwicket import engines
        engines.warm_up()
        print(sorted({"numpy", "qulacs", "stim"} & set(sys.modules)))
    """
    assert spawn(script) == ["['numpy', 'qulacs', 'stim']"]


def test_estimate_names_its_numbers() -> None:
    found = engines.estimate(Summary("qubit", 1, 26, 77, 0), COUNTED)
    assert found.bytes == pytest.approx(1.68e9, rel=0.01)
    assert 5 < found.seconds < 15


def test_estimate_knows_noise() -> None:
    noise = NoiseModel(name="", source="", two_qubit=GateNoise(depolarizing=0.01))
    summary = Summary("qubit", 1, 10, 100, 100)
    quiet = engines.estimate(summary, COUNTED)
    noisy = engines.estimate(summary, msgspec.structs.replace(COUNTED, noise=noise))
    assert noisy.seconds > 100 * quiet.seconds


def test_noise_travels_with_the_options() -> None:
    """An X that is always followed by a wrong readout."""
    noise = NoiseModel(name="", source="", readout=ReadoutError(zero_for_one=1.0))
    chosen = RunOptions(shots=5, seed=1, outputs=("counts",), noise=noise)
    flip = qubit_math.measured(1, [Gate("x", (0,))])
    (result,) = engines.run("qubit", pack((flip,)), msgspec.msgpack.encode(chosen))
    assert outcome(result).counts() == {0: 5}


def test_options_stored_before_there_was_noise_are_ideal() -> None:
    stored = msgspec.msgpack.encode({"shots": 5, "seed": 1, "outputs": ["counts"]})
    (result,) = engines.run("qubit", pack((BELL,)), stored)
    assert sum(outcome(result).counts().values()) == 5


def test_equal_seeds_give_equal_bytes_in_every_process() -> None:
    """Every plan: one sample, split shots, patterns of noise, damping, stabilizers."""
    script = """
        import msgspec
        from support import qubit_math
        from qwicket import engines
        from qwicket.circuits.qubit import Gate, Measure, pack
        from qwicket.circuits.options import RunOptions
        from qwicket.circuits.noise import GateNoise, NoiseModel, ReadoutError
        from qwicket.circuits.outcomes import decode
        gates = qubit_math.scrambling(3)
        split = [*gates, Measure(0, 0), Gate("x", (1,), (), (0,)), Gate("h", (2,))]
        cliffords = [Gate("h", (q,)) for q in range(13)]
        circuits = pack((
            qubit_math.measured(3, gates),
            qubit_math.measured(3, split),
            qubit_math.measured(13, cliffords),
        ))
        paulis = GateNoise(depolarizing=0.1, phase_damping=0.1)
        damped = GateNoise(depolarizing=0.1, amplitude_damping=0.1)
        for one in (None, paulis, damped):
            noise = one and NoiseModel(
                name="", source="", one_qubit=one, two_qubit=one,
                readout=ReadoutError(one_for_zero=0.1),
            )
            outputs = ("counts", "memory")
            options = RunOptions(shots=300, seed=5, outputs=outputs, noise=noise)
            for part in engines.run("qubit", circuits, msgspec.msgpack.encode(options)):
                print(sorted((name, a.data.hex()) for name, a in decode(part).arrays.items()))
    """
    first, second = spawn(script), spawn(script)
    assert len(first) == 9
    assert len(set(first)) == 9
    assert first == second


@pytest.mark.needs_vendors
def test_the_server_imports_no_simulator() -> None:
    script = """
        import sys
        from qwicket import engines, programs
        from qwicket.circuits.options import RunOptions
        from qwicket.model.limits import Limits
        source = b'{"qubits": 1, "circuit": [{"gate": "h", "target": 0}]}'
        checked = programs.read("ionq.circuit.v1", source, Limits())
        options = RunOptions(shots=100, seed=0, outputs=("counts",), engine="clifford")
        engines.estimate(checked.summary, options)
        engines.unsupported_reason(checked.summary, options)
        engines.list_installed("qubit")
        print(sorted({"numpy", "scipy", "qulacs", "stim", "qiskit_aer"} & set(sys.modules)))
    """
    assert spawn(script) == ["[]"]


def test_a_workers_first_cold_atoms_wait_for_no_import_of_scipy() -> None:
    """Published programs read a result once, at once: the import would take longer than they do."""
    script = """
        import sys
        import msgspec
        from qwicket import engines
        from qwicket.circuits.atoms import AtomCircuit, AtomGate, pack
        from qwicket.circuits.options import RunOptions
        pair, whole = (0, 1), (1.0,) * 5
        spins = [
            AtomCircuit("spins", (20,), (AtomGate("rlx", (0,), (1.0,)),), (0,), 9),
            AtomCircuit("spins", (9,), (AtomGate("sq_full", (0,), (1.0, 1.0, 1.0)),), (0,), 9),
            AtomCircuit("spins", (5, 5), (AtomGate("rlxly", pair, (1.0,)),), pair, 9),
            AtomCircuit("spins", (5, 5), (AtomGate("multiqudit_full", pair, whole),), pair, 9),
            AtomCircuit("spins", (1, 1), (AtomGate("rydberg_full", pair, (1.0,) * 3),), pair, 9),
        ]
        hop = (AtomGate("load", (0,)), AtomGate("fhop", (0, 1, 2, 3), (1.0,)))
        circuits = (*spins, AtomCircuit("fermions", (), hop, (0, 2), 9))
        options = msgspec.msgpack.encode(RunOptions(shots=9, seed=0, outputs=()))
        found = engines.run("atoms", pack(circuits), options)
        print([type(each).__name__ for each in found], "scipy" in sys.modules)
    """
    assert spawn(script) == [f"{['Encoded'] * 6} False"]


def spawn(script: str) -> list[str]:
    """Run a script in a process of its own and return its lines."""
    command = [sys.executable, "-c", dedent(script)]
    environment = {"PYTHONPATH": ":".join(sys.path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout.split("\n")[:-1]


@pytest.mark.needs_vendors
def test_photonic_circuits_run_on_the_photonic_engine() -> None:
    pair = photonic.Gate("S2gate", (0, 1), (1.0, 0.0))
    circuit = photonic.PhotonicCircuit(2, (pair, photonic.Measure("fock", (0, 1))))
    (result,) = engines.run("photonic", photonic.pack((circuit,)), options(shots=100))
    samples = outcome(result).arrays["samples"]
    assert (samples.dtype, samples.shape) == ("<i8", (100, 2))
    numbers = memoryview(samples.data).cast("q").tolist()
    assert numbers[::2] == numbers[1::2]
    assert any(numbers)
    assert engines.list_installed("photonic") == ("gaussian",)
