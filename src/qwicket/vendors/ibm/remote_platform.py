"""A device of the IBM Quantum Platform's API: programs `sampler`, `estimator` and `executor`.

A program of the executor goes there as such, with the arguments that were drawn here in place of
its samplexes. So its circuits must fit the machine: they are neither compiled nor routed.

Jobs carry the marker as a tag. The list of jobs may lag, so it never proves that a job is absent:
if the response to a submission is lost and the list does not have the job, a person decides.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from qwicket.drivers.remote.clouds import CloudError, NoProof, RemoteDeviceStatus
from qwicket.drivers.remote.failures import SERVICE_ERRORS
from qwicket.vendors.ibm.platform_client import PlatformClient
from qwicket.vendors.ibm.primitives import executor
from qwicket.vendors.ibm.primitives.wire import EXECUTOR, is_executor
from qwicket.vendors.ibm.remote_runtime import IBMRuntimeCloud
from qwicket.vendors.ibm.remote_sessions import Sessions

if TYPE_CHECKING:
    from qwicket.circuits.outcomes import Outcome
    from qwicket.devices.remotes import Remote
    from qwicket.drivers.remote.clouds import ListedDevice, RemoteProgram
    from qwicket.model.failures import Failure
    from qwicket.model.groups import ForwardedGroup
    from qwicket.vendors.ibm.client.responses import Device

_FRACTIONAL: Final = ("rx", "rzz")
"""Gates that IBM's machines do for some angles alone. The other gates suffice."""
_NOT_GATES: Final = ("reset", "if_else")
"""Instructions that device files list with the gates."""
_CLOCKS_MS: Final = 3_600_000
"""Largest difference between the clock of the cloud and that of this server."""
_NO_VALUES: Final = {
    "__type__": "ndarray",
    "__value__": (
        "eJyb7BfqGxDJyFDGUK2eklqcXKRupaBuk2ahrqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RoGOpo6CrUK"
        "FAAuAFOzG1s="
    ),
}
"""Array of the values of no parameters: NumPy's file of `numpy.empty(0)`, compressed."""


class IBMPlatformCloud(IBMRuntimeCloud):
    """One device of one account.

    Args:
        remote: Where the device is, the account's instance, and where its key is exchanged.
        key: API key of the account.
    """

    client_class = PlatformClient
    no_values = _NO_VALUES
    is_physical = True

    def __init__(self, remote: Remote, key: str, formats: tuple[str, ...] = ()) -> None:
        super().__init__(remote, key, formats)
        self._sessions = Sessions(self._client.at_runtime, remote.device)

    def _written(self, program: RemoteProgram) -> tuple[str, dict[str, Any]]:
        params = executor.drawn_params(program.source) if _is_executor(program) else None
        return super()._written(program) if params is None else (EXECUTOR, params)

    def outcomes(self, id: str, program: RemoteProgram) -> tuple[list[Outcome | Failure], float]:
        n_sets = executor.n_sets(program.source) if _is_executor(program) else [0]
        if not all(n_sets):
            return super().outcomes(id, program)
        from qwicket.vendors.ibm import remote_executed  # late, because it imports NumPy

        with SERVICE_ERRORS.reading():
            found = self._client.at_runtime("GET", "jobs", id, "results")
        shots = program.options.shots
        numbers = remote_executed.keys(found, program.frames, n_sets, shots)
        return self._of_keys(numbers, program), self._seconds(id)

    def _session(self, group: ForwardedGroup) -> str:
        return self._sessions.of(group)

    @property
    def open_groups(self) -> tuple[str, ...]:
        return self._sessions.groups

    def close_group(self, group: str) -> None:
        self._sessions.close(group)

    def find(self, marker: str, since_ms: int) -> str | None:
        since = datetime.fromtimestamp(max(0, since_ms - _CLOCKS_MS) / 1000, UTC)
        id = self._id_with(marker, created_after=since.isoformat())
        if id is None:
            raise NoProof("its list does not have the job, but may lag, or may have deleted it")
        return id

    def device_status(self) -> RemoteDeviceStatus:
        found = super().device_status()
        if found.is_online and (reason := self._exhausted()):
            return found._replace(is_online=False, reason=reason)
        return found

    def _exhausted(self) -> str:
        """Return why the instance takes no jobs; empty if it does, or if this is unknown."""
        try:
            with SERVICE_ERRORS.reading(on_404=CloudError):
                usage = self._client.at_runtime("GET", "instances", "usage")
        except CloudError:
            return ""
        if usage.get("usage_limit_reached") is not True:
            return ""
        used, limit = usage.get("usage_consumed_seconds"), usage.get("usage_limit_seconds")
        return f"the instance has used {used} of its {limit} seconds"

    def _listed_device(self, device: Device) -> ListedDevice:
        found = super()._listed_device(device)
        others = device.get("supported_instructions") or ()
        gates = [
            *[name for name in device.basis_gates if name not in _FRACTIONAL],
            *[name for name in _NOT_GATES if name in others],
        ]
        outputs = ("counts", "memory", "probabilities")
        return found._replace(spec={**found.spec, "gates": gates, "outputs": outputs})


def _is_executor(program: RemoteProgram) -> bool:
    return program.format == "qiskit.primitives" and is_executor(program.source)
