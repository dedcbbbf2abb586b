"""Jobs with the attributes of qiskit-ionq's, here without Qiskit: only the names that are read."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from qwicket.vendors.ionq.client import Circuit, IonQClientError, IonQGateError, NativeCircuit
from qwicket.vendors.ionq.client.jobs import body_of


@dataclass(frozen=True)
class Register:
    name: str
    size: int


class QuantumCircuit:
    """What is read of one of Qiskit's circuits."""

    def __init__(self, n_qubits: int, n_clbits: int, *steps: tuple[Any, ...]) -> None:
        self.name = "bell"
        self.qubits = [f"q{index}" for index in range(n_qubits)]
        self.clbits = [f"c{index}" for index in range(n_clbits)]
        self.qregs = [Register("q", n_qubits)]
        self.cregs = [Register("c", n_clbits)] if n_clbits else []
        self.global_phase = 0
        self.metadata: dict[str, Any] = {}
        self.data = [self._step(*step) for step in steps]

    def _step(self, name: str, qubits: list[int], *params: Any, clbit: int | None = None) -> Any:
        return SimpleNamespace(
            operation=SimpleNamespace(name=name, params=list(params)),
            qubits=[self.qubits[index] for index in qubits],
            clbits=[] if name != "measure" else [self.clbits[params[0]]],
        )


@dataclass
class Backend:
    """A backend of qiskit-ionq 1; the older one's `name` is a method."""

    name: Any = "ionq_simulator"
    gates: str = "qis"
    options: Any = field(
        default_factory=lambda: SimpleNamespace(noise_model="aria-1", sampler_seed=5)
    )

    def gateset(self) -> str:
        return self.gates


class Job:
    def __init__(
        self,
        circuit: Any,
        backend: Backend | None = None,
        extra_query_params: Any = None,
        extra_metadata: Any = None,
        **arguments: Any,
    ) -> None:
        self.circuit = circuit
        self._backend = backend or Backend()
        self._passed_args = {"shots": 1024, "sampler_seed": None, **arguments}
        self.extra_query_params = extra_query_params or {}
        self.extra_metadata = extra_metadata or {}

    def backend(self) -> Backend:
        return self._backend


BELL = QuantumCircuit(
    3,
    2,
    ("h", [0]),
    ("barrier", [0, 1, 2]),
    ("cx", [0, 1]),
    ("measure", [0], 1),
    ("measure", [1], 0),
)
GATES = [{"gate": "h", "targets": [0]}, {"gate": "x", "targets": [1], "controls": [0]}]


def header_of(body: dict[str, Any]) -> Any:
    return json.loads(gzip.decompress(base64.b64decode(body["metadata"].pop("qiskit_header"))))


def gates_of(*steps: tuple[Any, ...], gateset: str = "qis") -> Any:
    job = Job(QuantumCircuit(4, 1, *steps), Backend(gates=gateset))
    return body_of(job, is_v03=False)["input"]["circuit"]


def test_a_job_is_written_for_v04_as_the_original_does() -> None:
    body = dict(body_of(Job(BELL), is_v03=False))
    header = header_of(body)
    assert body["metadata"].pop("user_agent").startswith("qwicket/")
    assert body == {
        "type": "ionq.circuit.v1",
        "backend": "simulator",
        "shots": 1024,
        "name": "bell",
        "input": {"gateset": "qis", "qubits": 2, "circuit": GATES},
        "metadata": {"shots": "1024", "sampler_seed": "None"},
        "noise": {"model": "aria-1", "seed": 5},
    }
    assert header == {
        "memory_slots": 2,
        "global_phase": 0.0,
        "n_qubits": 2,
        "name": "bell",
        "creg_sizes": [["c", 2]],
        "clbit_labels": [["c", 0], ["c", 1]],
        "qreg_sizes": [["q", 3]],
        "qubit_labels": [["q", 0], ["q", 1], ["q", 2]],
        "meas_mapped": [1, 0],
    }


def test_a_job_is_written_for_v03_as_the_original_does() -> None:
    body = dict(body_of(Job(BELL, Backend(lambda: "ionq_simulator")), is_v03=True))
    assert header_of(body)["n_qubits"] == 3
    assert body == {
        "target": "simulator",
        "shots": 1024,
        "name": "bell",
        "registers": {"meas_mapped": [1, 0]},
        "input": {"format": "ionq.circuit.v0", "gateset": "qis", "qubits": 3, "circuit": GATES},
        "metadata": {"shots": "1024", "sampler_seed": "None"},
        "noise": {"model": "aria-1", "seed": 5},
    }


@pytest.mark.parametrize("is_v03", [False, True])
def test_a_job_of_several_circuits_has_a_member_and_a_header_for_each(is_v03: bool) -> None:
    body = dict(body_of(Job([BELL, BELL]), is_v03=is_v03))
    registers = {"registers": {"meas_mapped": [1, 0]}} if is_v03 else {}
    member = {"name": "bell", "circuit": GATES, **registers}
    assert body["input"]["circuits"] == [member, member]
    assert (body["name"], len(header_of(body))) == ("2 circuits", 2)
    assert "registers" not in body


def test_a_circuit_without_classical_bits_has_empty_registers() -> None:
    body = body_of(Job(QuantumCircuit(1, 0, ("h", [0]))), is_v03=True)
    assert body["registers"] == {}


def test_options_of_the_job_go_before_those_of_the_backend() -> None:
    job = Job(
        BELL,
        Backend("ionq_qpu.aria-1"),
        name="mine",
        job_settings={"compilation": {"opt": 1}},
        error_mitigation=SimpleNamespace(value={"debiasing": True}),
        session_id="s1",
        dry_run=True,
        extra_query_params={"project": "p"},
        extra_metadata={"who": "ada"},
    )
    new, old = (body_of(job, is_v03=is_v03) for is_v03 in (False, True))
    for body in (new, old):
        assert (body["name"], body["session_id"], body["dry_run"]) == ("mine", "s1", True)
        assert (body["project"], body["metadata"]["who"]) == ("p", "ada")
        assert "noise" not in body
    assert new["settings"] == {"compilation": {"opt": 1}, "error_mitigation": {"debiasing": True}}
    assert old["settings"] == {"compilation": {"opt": 1}}
    assert old["error_mitigation"] == {"debiasing": True}
    assert (new["backend"], old["target"]) == ("qpu.aria-1", "qpu.aria-1")


@pytest.mark.parametrize(
    ("step", "gate"),
    [
        (("sx", [1]), {"gate": "v", "targets": [1]}),
        (("sxdg", [1]), {"gate": "vi", "targets": [1]}),
        (("sdg", [1]), {"gate": "si", "targets": [1]}),
        (("tdg", [1]), {"gate": "ti", "targets": [1]}),
        (("p", [1], 0.5), {"gate": "z", "targets": [1], "rotation": 0.5}),
        (("rx", [1], 0.5), {"gate": "rx", "targets": [1], "rotation": 0.5}),
        (("rzz", [1, 0], 0.5), {"gate": "zz", "targets": [1, 0], "rotation": 0.5}),
        (("swap", [1, 0]), {"gate": "swap", "targets": [1, 0]}),
        (("csx", [0, 1]), {"gate": "v", "targets": [1], "controls": [0]}),
        (("cp", [0, 1], 0.5), {"gate": "z", "targets": [1], "controls": [0], "rotation": 0.5}),
        (("crz", [0, 1], 0.5), {"gate": "rz", "targets": [1], "controls": [0], "rotation": 0.5}),
        (("ccx", [0, 1, 2]), {"gate": "x", "targets": [2], "controls": [0, 1]}),
        (("mcx", [0, 1, 2, 3]), {"gate": "x", "targets": [3], "controls": [0, 1, 2]}),
        (("cswap", [2, 0, 1]), {"gate": "swap", "targets": [0, 1], "controls": [2]}),
    ],
)
def test_qiskits_gates_have_ionqs_names(step: tuple[Any, ...], gate: dict[str, Any]) -> None:
    assert gates_of(step) == [gate]


def test_an_evolution_is_written_term_by_term() -> None:
    circuit = QuantumCircuit(2, 0, ("PauliEvolution", [0, 1], 2.0))
    operator = SimpleNamespace(to_list=lambda: [("XX", 0.5 + 0j), ("ZI", -1.0 + 0j)])
    circuit.data[0].operation.operator = operator
    assert body_of(Job(circuit), is_v03=False)["input"]["circuit"] == [
        {
            "gate": "pauliexp",
            "targets": [0, 1],
            "terms": ["XX", "ZI"],
            "coefficients": [0.5, -1.0],
            "time": 2.0,
        }
    ]


def test_native_gates_keep_their_turns() -> None:
    assert gates_of(
        ("gpi", [0], 0.5), ("ms", [0, 1], 0, 0.25, 0.1), ("zz", [1, 2], 0.1), gateset="native"
    ) == [
        {"gate": "gpi", "target": 0, "phase": 0.5},
        {"gate": "ms", "targets": [0, 1], "phases": [0.0, 0.25], "angle": 0.1},
        {"gate": "zz", "targets": [1, 2], "angle": 0.1},
    ]


@pytest.mark.parametrize(("name", "gateset"), [("ecr", "qis"), ("cx_o0", "qis"), ("h", "native")])
def test_a_gate_without_an_equivalent_is_refused_and_named(name: str, gateset: str) -> None:
    with pytest.raises(IonQGateError, match=f"gateset '{gateset}' has no gate '{name}'"):
        gates_of((name, [0]), gateset=gateset)


def test_a_qubit_that_is_used_after_its_measurement_is_refused() -> None:
    with pytest.raises(IonQClientError, match=r"gate \(h\) acts on a qubit after its measurement"):
        gates_of(("measure", [0], 0), ("h", [0]))


def test_circuits_of_this_package_may_be_in_such_a_job() -> None:
    body = body_of(Job(Circuit(2, name="ours").h(0)), is_v03=False)
    assert body["input"] == {
        "gateset": "qis",
        "qubits": 2,
        "circuit": [{"gate": "h", "targets": [0]}],
    }
    assert "qiskit_header" not in body["metadata"]


@pytest.mark.parametrize("circuit", [None, [], "OPENQASM", [5], NativeCircuit(1).gpi(0, 0.0)])
def test_a_job_without_a_fitting_circuit_is_refused(circuit: Any) -> None:
    with pytest.raises(IonQClientError):
        body_of(Job(circuit), is_v03=False)
