"""Provider of Qiskit: the devices of one server as backends, and its jobs by their ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qiskit.providers.exceptions import QiskitBackendNotFoundError

from qwicket.clients.native import ApiError, connect
from qwicket.qiskit.backend import QwicketBackend, is_backend
from qwicket.qiskit.jobs import QwicketJob

if TYPE_CHECKING:
    from qwicket.clients.native import Client, Device


class QwicketProvider:
    """Backends of a Qwicket server.

    Args:
        url: Address of the server; by default that of `qwicket.connect`.
        token: API token; by default that of `qwicket.connect`.
        profile: Name of a profile in `~/.config/qwicket/config.toml`.
        client: Client to use in place of a new one.

    Attributes:
        client: Qwicket's client of the server.

    Raises:
        ClientError: There is no token, or the address, the file or the profile is invalid.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        profile: str | None = None,
        client: Client | None = None,
    ) -> None:
        self.client = client or connect(url, token, profile=profile)

    def __repr__(self) -> str:
        return f"<QwicketProvider of {self.client.url}>"

    def backends(
        self, name: str | None = None, *, online: bool | None = None
    ) -> list[QwicketBackend]:
        """Return the devices that run circuits of Qiskit.

        Args:
            name: Name of the device; None for all devices.
            online: True for devices with status `on`, False for all others, None for both.

        Raises:
            ClientError: The request failed.
        """
        return [
            QwicketBackend(self, device)
            for device in self.client.devices()
            if is_backend(device)
            and name in (None, device.name)
            and (online is None or online == (device.status == "on"))
        ]

    def get_backend(self, name: str) -> QwicketBackend:
        """Return one device.

        Raises:
            QiskitBackendNotFoundError: No device of this name runs circuits.
            ClientError: The request failed.
        """
        device = self._device(name)
        if device is None or not is_backend(device):
            known = ", ".join(backend.name for backend in self.backends())
            raise QiskitBackendNotFoundError(
                f"There is no backend {name!r}. The backends are {known}."
            )
        return QwicketBackend(self, device)

    def job(self, id: str) -> QwicketJob:
        """Return a job by its id, also one that another process submitted.

        Raises:
            ApiError: This token has no access to a job with this id.
            QiskitBackendNotFoundError: The job's device is not a backend, or no longer exists.
            ClientError: The request failed.
        """
        found = self.client.job(id)
        return QwicketJob(self.get_backend(str(found.info["device"])), found)

    def _device(self, name: str) -> Device | None:
        try:
            return self.client.device(name)
        except ApiError as error:
            if error.status != 404:
                raise
            return None
