"""Bodies about devices (configurations, properties, queues), projects and accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qwicket.circuits.qubit import SAMPLES_PER_S
from qwicket.circuits.twins import FRAME_CHANGES
from qwicket.dialects.responses import json_in_thread
from qwicket.dialects.streaming import raw_list
from qwicket.dialects.times import format_time
from qwicket.programs.basis import NAMES as GATE_NAMES
from qwicket.vendors.ibm.dialect.names import GROUP, HUB

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from starlette.responses import Response

    from qwicket.circuits.calibrations import Calibrated, Calibration, QubitFigures
    from qwicket.gateway import DeviceView
    from qwicket.gateway.response_budget import ResponseMemory
    from qwicket.model.accounts import Account, Project

VERSION: Final = "1.0.0"
_SINCE_MS: Final = 1_767_225_600_000
"""Date of devices without a calibration, and of a network without projects: the beginning of 2026,
in Unix milliseconds."""

_SMALL_FIGURES: Final = 10_000
"""Number of a gate's figures up to which a response does not wait for memory; they take 4 MB."""
_VIRTUAL_GATES: Final = frozenset({*FRAME_CHANGES, "u1"})
"""Gates without time and error: a machine does them by shifting the phase of later pulses."""
_TWO_QUBIT_GATES: Final = ("swap", "rxx", "ryy", "rzz", "zz", "ms", "ecr", "rzx", "iswap", "dcx")
"""Gates on two qubits, neither of which is a control."""
_FRACTIONAL: Final = ("rx", "rzz")
_DEFINITIONS: Final = {
    "id": ((), "gate id q { U(0,0,0) q; }"),
    "rz": (("theta",), "gate rz(theta) q { U(0,0,theta) q; }"),
    "sx": ((), "gate sx q { U(pi/2,3*pi/2,pi/2) q; }"),
    "x": ((), "gate x q { U(pi,0,pi) q; }"),
    "u1": (("lambda",), "gate u1(lambda) q { U(0,0,lambda) q; }"),
    "u2": (("phi", "lambda"), "gate u2(phi,lambda) q { U(pi/2,phi,lambda) q; }"),
    "u3": (
        ("theta", "phi", "lambda"),
        "gate u3(theta,phi,lambda) q { U(theta,phi,lambda) q; }",
    ),
    "cx": ((), "gate cx c,t { CX c,t; }"),
    "rx": (("theta",), "gate rx(theta) q { U(theta,-pi/2,pi/2) q; }"),
    "rzz": (("theta",), "gate rzz(theta) a,b { cx a,b; U(0,0,theta) b; cx a,b; }"),
}
"""Parameters and definitions of basis gates; clients know the other gates by their names."""


def configuration(view: DeviceView) -> dict[str, Any]:
    """Return a device's configuration. A device without a calibration is shown as a simulator."""
    spec, calibration = view.device.spec, view.calibration
    pairs = _directed(calibration.body) if calibration else None
    couplings = {1: [[q] for q in range(view.qubits)], 2: pairs} if pairs is not None else {}
    body: dict[str, Any] = {
        "backend_name": view.device.name,
        "backend_version": VERSION,
        "n_qubits": view.qubits,
        "basis_gates": spec.gates,
        "gates": [_gate(name, couplings) for name in spec.gates],
        "coupling_map": pairs,
        "local": False,
        "simulator": calibration is None,
        "conditional": True,
        "open_pulse": False,
        "memory": True,
        "max_shots": view.max_shots,
        "max_experiments": view.max_circuits,
        "online_date": format_time(calibration.valid_from if calibration else _SINCE_MS),
        "credits_required": False,
        "allow_object_storage": True,
        "allow_q_object": True,
        "input_allowed": ["job"],
        "description": spec.description,
        "sample_name": view.device.name,
        "supported_instructions": [*spec.gates, "measure", "reset", "delay", "barrier"],
    }
    if calibration is not None:
        body |= {
            "meas_map": [list(range(view.qubits))],
            "multi_meas_enabled": True,  # pytket-qiskit reads it
            "dt": 1e9 / SAMPLES_PER_S,  # ns
            "dtm": 1e9 / SAMPLES_PER_S,
            "rep_times": [1000.0],  # µs
        }
    return body


def with_fractional_gates(configuration: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration of a simulator with RX and RZZ of any angle.

    Clients offer them to transpilers only if users request fractional gates.
    """
    return {
        **configuration,
        "basis_gates": [*configuration["basis_gates"], *_FRACTIONAL],
        "gates": [*configuration["gates"], *(_gate(name, {}) for name in _FRACTIONAL)],
        "supported_instructions": [*configuration["supported_instructions"], *_FRACTIONAL],
    }


def _gate(name: str, couplings: Mapping[int, Any]) -> dict[str, Any]:
    """Return a gate. `couplings` are the qubits that it acts on, by their number."""
    parameters, definition = _DEFINITIONS.get(name, ((), ""))
    body: dict[str, Any] = {"name": name, "parameters": parameters, "qasm_def": definition}
    if _n_qubits(name) in couplings:
        body["coupling_map"] = couplings[_n_qubits(name)]
    return body


def _n_qubits(name: str) -> int:
    """Return the number of qubits of a gate, controls included; 1 for an unknown name of a lab."""
    flat, n_controls = GATE_NAMES.get(name, (name, 0))
    return n_controls + (2 if flat in _TWO_QUBIT_GATES else 1)


def _directed(calibration: Calibration) -> list[list[int]] | None:
    """Return every pair in both directions; None when all are connected."""
    if calibration.connectivity is None:
        return None
    return sorted([a, b] for pair in calibration.connectivity for a, b in (pair, pair[::-1]))


async def properties_response(
    view: DeviceView, calibrated: Calibrated, memory: ResponseMemory
) -> Response:
    """Return the response about a calibration."""
    pairs = calibrated.body.connectivity or ()
    if len(view.device.spec.gates) * (view.qubits + 2 * len(pairs)) > _SMALL_FIGURES:
        await memory.begin()
    return await json_in_thread(lambda: properties(view, calibrated))


def properties(view: DeviceView, calibrated: Calibrated) -> dict[str, Any]:
    """Return a calibration: T1 and T2 in µs, other times in ns, frequencies in GHz."""
    calibration, date = calibrated.body, format_time(calibrated.valid_from)
    qubits = range(view.device.spec.qubits)
    figures = [calibration.qubits.get(q, calibration.qubit) for q in qubits]
    return {
        "backend_name": view.device.name,
        "backend_version": VERSION,
        "last_update_date": date,
        "qubits": raw_list(
            [_entry(date, *row) for row in _qubit(calibration, each)] for each in figures
        ),
        "gates": raw_list(_gates(view, calibration, figures, date)),
        "general": [],
    }


def _qubit(calibration: Calibration, figures: QubitFigures) -> Iterator[tuple[str, str, float]]:
    yield "T1", "us", 1e6 * figures.t1_s
    yield "T2", "us", 1e6 * figures.t2_s
    if figures.frequency_hz is not None:
        yield "frequency", "GHz", figures.frequency_hz / 1e9
    yield "readout_error", "", figures.spam_error
    yield "prob_meas0_prep1", "", figures.zero_for_one
    yield "prob_meas1_prep0", "", figures.one_for_zero
    if calibration.readout_s is not None:
        yield "readout_length", "ns", 1e9 * calibration.readout_s


def _gates(
    view: DeviceView, calibration: Calibration, qubits: Sequence[QubitFigures], date: str | None
) -> Iterator[dict[str, Any]]:
    pairs = {frozenset(pair.qubits): pair for pair in calibration.pairs}
    for name in view.device.spec.gates:
        if _n_qubits(name) > 2:  # no calibration has figures of such gates
            continue
        if _n_qubits(name) == 2:
            for a, b in _directed(calibration) or ():
                two = pairs.get(frozenset((a, b)), calibration.two_qubit)
                yield _measured(name, [a, b], two.error, two.duration_s, date)
            continue
        for qubit, figures in enumerate(qubits):
            one = figures.gate or calibration.one_qubit
            is_virtual = name in _VIRTUAL_GATES
            error, duration_s = (0.0, 0.0) if is_virtual else (one.error, one.duration_s)
            yield _measured(name, [qubit], error, duration_s, date)


def _measured(
    name: str, qubits: list[int], error: float, duration_s: float, date: str | None
) -> dict[str, Any]:
    figures = [
        _entry(date, "gate_error", "", error),
        _entry(date, "gate_length", "ns", 1e9 * duration_s),
    ]
    return {
        "gate": name,
        "name": name + "_".join(map(str, qubits)),
        "qubits": qubits,
        "parameters": figures,
        "parametres": figures,  # the spelling of IBM's printed document
    }


def _entry(date: str | None, name: str, unit: str, value: float) -> dict[str, Any]:
    # Rounded, because the conversion of units adds digits.
    return {"date": date, "name": name, "unit": unit, "value": float(f"{value:.12g}")}


def queue(view: DeviceView, waiting: int) -> dict[str, Any]:
    """Return whether a device takes jobs, and how many wait. Clients warn while it is paused."""
    is_paused = view.status.is_paused
    return {
        "state": view.is_online or is_paused,
        "status": "paused" if is_paused else "active" if view.is_online else "off",
        "message": view.status.note,
        "lengthQueue": waiting,
        "backend_version": VERSION,
    }


def network(
    projects: Sequence[Project], default: str, views: Sequence[DeviceView]
) -> list[dict[str, Any]]:
    """Return the one hub with its one group, and in it every project of an account.

    Args:
        projects: Projects of the account.
        default: Id of the project that the access token acts for.
        views: Devices, the same for all projects.
    """
    since = format_time(min((project.created_at for project in projects), default=_SINCE_MS))
    devices = {
        view.device.name: {
            "priority": 1,
            "name": view.device.name,
            "deleted": False,
            "specificConfiguration": {},
        }
        for view in views
    }
    projects_by_name = {
        project.address: {
            **_titled(project.address, format_time(project.created_at)),
            "isDefault": project.id == default,
            "devices": devices,
        }
        for project in sorted(projects, key=lambda project: project.id != default)
    }
    group = {**_titled(GROUP, since), "isDefault": True, "projects": projects_by_name}
    hub = {
        **_titled(HUB, since),
        "private": False,
        "licenseNotRequired": True,
        "isDefault": True,
        "analytics": False,
        "class": "",
        "id": HUB,
        "groups": {GROUP: group},
    }
    return [hub]


def _titled(name: str, since: str | None) -> dict[str, Any]:
    return {
        "name": name,
        "title": name,
        "description": "",
        "creationDate": since,
        "deleted": False,
    }


def account(account: Account, urls: dict[str, Any]) -> dict[str, Any]:
    """Return an account. Most fields of IBM's body have no value here."""
    since = format_time(account.created_at)
    return {
        "firstName": account.name,
        "lastName": "",
        "userTypeId": account.role,
        "institution": "",
        "status": "Registered",
        "blocked": "none",
        "subscriptions": {"updates": 0, "surveys": 0},
        "additionalData": {
            "tutorialPagesCompleted": {},
            "tutorialCompleted": False,
            "tutorialVisited": False,
            "termsAndConditions": True,
            "invitation": {"familiarity": "", "description": "", "institution": ""},
        },
        "codesLastVersion": {},
        "creationDate": since,
        "iqxPreferences": {},
        "emailVerified": True,
        "username": account.name,
        "email": account.email,
        "id": account.id,
        "lastModified": since,
        "credit": {
            "remaining": 0,
            "promotional": 0,
            "promotionalCodesUsed": [],
            "maxUserType": 0,
        },
        "ibmQNetwork": False,
        "urls": urls,
        "dpl": {"blocked": False, "checked": True, "wordsFound": {}, "results": {}},
        "userType": {
            "type": account.role,
            "default": True,
            "priority": False,
            "id": account.role,
            "credit": {"credits": 0},
            "delete": False,
        },
        "groups": [],
        "roles": [],
    }
