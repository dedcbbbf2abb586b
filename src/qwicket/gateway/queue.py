"""The queue as actors see it: positions, forecasts, progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwicket.model.states import JobState

if TYPE_CHECKING:
    from qwicket.gateway.admission import Admission
    from qwicket.gateway.views import DeviceView
    from qwicket.model.jobs import Job, Progress
    from qwicket.scheduling import Forecast, Outlook, Place
    from qwicket.store import Store


class Queue:
    """When jobs are expected to start and to end.

    Args:
        store: Where jobs are kept.
        admission: Estimates run times.
        forecast: Foretells the queues of devices.
    """

    def __init__(self, store: Store, admission: Admission, forecast: Forecast) -> None:
        self._store = store
        self._admission = admission
        self._forecast = forecast

    async def position(self, job: Job) -> Place | None:
        """Return where a waiting job is expected to stand; None when it does not wait."""
        if job.state is not JobState.QUEUED:
            return None
        return await self._forecast.place(job.device, job.id)

    async def progress(self, job: Job) -> Progress | None:
        """Return how far an agent says that it is with a running job; None where nobody says."""
        if job.state not in (JobState.RUNNING, JobState.CANCELLING):
            return None
        return await self._store.leases.progress(job.id)

    async def forecast(self, device: str) -> Outlook:
        """Return the forecast of a device's queue, at most a second old."""
        return await self._forecast.outlook(device)

    def run_time(
        self, view: DeviceView, n_qubits: int, gates: tuple[int, int], shots: int
    ) -> float:
        """Return the seconds that a job would run, as far as numbers can tell.

        Args:
            view: The device.
            n_qubits: Qubits of its circuit.
            gates: Gates on one qubit, and on two.
            shots: Shots.
        """
        return self._admission.run_time(view.device, view.calibration, n_qubits, gates, shots)
