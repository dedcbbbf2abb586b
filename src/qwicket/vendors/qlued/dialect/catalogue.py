"""Names of devices in qlued's API, and their descriptions there.

Clients name a device of the default provider by its short name, such as `rydberg`, and any device
by its full name `PROVIDER_SHORT_KIND`, such as `qwicket_rydberg_simulator`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from qwicket.model.devices import AtomsSpec

if TYPE_CHECKING:
    from qwicket.gateway import DeviceView
    from qwicket.model.devices import AtomGateSpec, Device

_DEFAULT_PROVIDER: Final = "qwicket"
_SIMULATOR: Final = "simulator"
_HARDWARE: Final = "hardware"
_DUMMY: Final = "dummy"


class Name(NamedTuple):
    """Parsed name of a device.

    Attributes:
        device_names: Names that the device may have on this server, where the name of a lab's
            device may begin with the provider.
        provider: Provider of the device.
        kind: `simulator` or `hardware`; None in a short name.
    """

    device_names: tuple[str, ...]
    provider: str
    kind: str | None

    def fits(self, device: Device) -> bool:
        """Return whether a device of one of `device_names` has this provider and kind too."""
        return device.provider == self.provider and self.kind in (None, _kind(device))


def parse_name(text: str) -> Name | None:
    """Return a parsed name; None if the text cannot be a name."""
    match text.rsplit("_", 2):  # the name of a provider may have underscores
        case [short] if short:
            return Name((short,), _DEFAULT_PROVIDER, None)
        case [provider, short, kind] if provider and short and kind:
            return Name((short, f"{provider}_{short}"), provider, kind)
    return None


def short_name(device: Device) -> str:
    return device.name.removeprefix(f"{device.provider}_")


def full_name(device: Device) -> str:
    return f"{device.provider}_{short_name(device)}_{_kind(device)}"


def names(device: Device) -> list[str]:
    """Return all names of a device by which clients may ask for it."""
    short = [short_name(device)] if device.provider == _DEFAULT_PROVIDER else []
    return [*short, full_name(device)]


def is_listed(device: Device) -> bool:
    """Return whether lists show a device.

    They leave out devices for tests, and devices whose full names could not be parsed.
    """
    return _DUMMY not in device.name and "_" not in short_name(device)


def atoms(device: Device) -> AtomsSpec:
    """Return a device's specification of cold atoms, or a default one."""
    return device.spec.atoms or AtomsSpec(version="0.0", kind="spin", gates=())


def _kind(device: Device) -> str:
    return _SIMULATOR if atoms(device).is_simulator else _HARDWARE


def config(view: DeviceView, base_url: str) -> dict[str, Any]:
    """Return a BackendConfig, as Qiskit's `BackendConfiguration` reads it.

    Args:
        view: The device.
        base_url: URL of this version of the dialect.
    """
    device, spec = view.device, atoms(view.device)
    gates = [gate.name for gate in spec.gates]
    return {
        "backend_name": full_name(device),
        "display_name": short_name(device),
        "description": device.spec.description,
        "backend_version": spec.version,
        "n_qubits": view.qubits,
        "basis_gates": gates,
        "gates": [_gate(gate) for gate in spec.gates],
        "supported_instructions": [*gates, *spec.instructions],
        "max_shots": view.max_shots,
        "max_experiments": view.max_circuits,
        "cold_atom_type": spec.kind,
        "wire_order": spec.wire_order,
        "num_species": spec.species,
        "simulator": spec.is_simulator,
        "local": False,
        "conditional": False,
        "open_pulse": False,
        "memory": True,
        "dynamic_reprate_enabled": False,
        "coupling_map": "linear",
        "url": f"{base_url}/{full_name(device)}/",
    }


def _gate(gate: AtomGateSpec) -> dict[str, Any]:
    """Return a gate of the configuration. In qlued's form its parameters are one joined text."""
    parameters = ", ".join(gate.parameters)
    return {
        "name": gate.name,
        "description": gate.description,
        "parameters": [parameters] if parameters else [],
        "qasm_def": gate.definition or f"gate {gate.name}({parameters}) {{}}",
        "coupling_map": gate.wires,
    }


def status(view: DeviceView, pending_jobs: int) -> dict[str, Any]:
    """Return a BackendStatus."""
    device = view.device
    return {
        "backend_name": full_name(device),
        "backend_version": atoms(device).version,
        "operational": view.is_online,
        "pending_jobs": pending_jobs,
        "status_msg": view.status.note,
    }
