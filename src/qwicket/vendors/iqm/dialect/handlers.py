"""The handlers of IQM Server's API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace
from starlette.responses import Response

from qwicket.dialects.responses import json, json_in_thread
from qwicket.dialects.validation import quoted
from qwicket.gateway.program_checks import NotConnected
from qwicket.model.errors import InvalidRequest, NotFound
from qwicket.model.states import JobState
from qwicket.vendors.iqm.dialect import catalogue, results, wire
from qwicket.vendors.iqm.dialect.catalogue import CalibrationSet
from qwicket.vendors.iqm.names import DIALECT

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwicket.dialects.requests import Request
    from qwicket.gateway import DeviceView, Gateway, JobResults
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job, Submission
    from qwicket.model.limits import Limits

_DEFAULT: Final = "default"
_STOP_S: Final = 10.0
"""Time that a running job has to stop before it is deleted."""


class Handlers:
    """Handlers of IQM Server's API."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    @property
    def limits(self) -> Limits:
        return self._gateway.limits

    async def sign_in(self, request: Request[Any]) -> Actor:
        return await self._gateway.auth.by_token(request.token("bearer"), request.client_address)

    # --- quantum computers ------------------------------------------------------------------------

    async def read_about(self, actor: Actor, request: Request[None]) -> Response:
        """Read the version of this server."""
        return json(catalogue.about())

    async def list_computers(self, actor: Actor, request: Request[None]) -> Response:
        """List the quantum computers."""
        devices = await self._gateway.devices.offered(DIALECT)
        return json({"quantum_computers": [catalogue.computer(each) for each in devices]})

    async def read_health(self, actor: Actor, request: Request[None]) -> Response:
        """Read whether a quantum computer takes and runs jobs now."""
        return json(catalogue.health(await self._device(request)))

    async def read_about_computer(self, actor: Actor, request: Request[None]) -> Response:
        """Read the version of the software of a quantum computer, which is that of this server."""
        await self._device(request)
        return json(catalogue.about())

    async def read_static_architecture(self, actor: Actor, request: Request[None]) -> Response:
        """Read the qubits of a quantum computer and the pairs that it connects."""
        return json([catalogue.static_architecture(await self._device(request))])

    async def read_calibration_set(self, actor: Actor, request: Request[None]) -> Response:
        """Read a calibration set; the id `default` stands for the one in force."""
        return json((await self._calibration_set(request)).observations())

    async def read_dynamic_architecture(self, actor: Actor, request: Request[None]) -> Response:
        """Read the gates of a quantum computer and the qubits on which they act."""
        return json((await self._calibration_set(request)).architecture())

    async def read_metrics(self, actor: Actor, request: Request[None]) -> Response:
        """Read the quality metrics of a calibration set."""
        return json((await self._calibration_set(request)).metrics())

    async def _device(self, request: Request[Any]) -> DeviceView:
        return await self._gateway.devices.get(request.path_params["alias"], DIALECT)

    async def _calibration_set(self, request: Request[None]) -> CalibrationSet:
        view, id_text = await self._device(request), request.path_params["calibration"]
        current = CalibrationSet(view, view.calibration)
        if id_text in (_DEFAULT, current.id):
            return current
        name = view.device.name
        return CalibrationSet(
            view, await self._gateway.devices.calibration_by_id(name, DIALECT, id_text)
        )

    async def refuse(self, actor: Actor, request: Request[None]) -> Response:
        """Refuse a document that only a machine's own server may have."""
        raise NotFound(f"There is no artifact {quoted(request.path_params['rest'])} here.")

    # --- jobs -------------------------------------------------------------------------------------

    async def submit_job(self, actor: Actor, request: Request[Submission]) -> Response:
        """Submit circuits to a quantum computer."""
        wire.check_query(request.query_params)
        view = await self._device(request)
        submission = replace(request.payload, device=view.device.name)
        fields = wire.vendor_fields(submission.vendor_fields)
        await self._check_calibration_set(view, fields.calibration_set_id)
        try:
            job = await self._gateway.jobs.submit(actor, submission, clients_repeat=True)
        except NotConnected as error:
            raise wire.not_connected(error, view.device.name) from None
        # Its position is not read: once a job is stored, nothing must fail.
        return json(wire.job(job, fields, None))

    async def _check_calibration_set(self, view: DeviceView, requested: str | None) -> None:
        """Refuse a calibration set other than the one in force, with which each job runs."""
        current = CalibrationSet(view, view.calibration).id
        if requested in (None, current):
            return
        assert requested is not None
        await self._gateway.devices.calibration_by_id(view.device.name, DIALECT, requested)
        raise InvalidRequest(
            f"calibration_set_id: {requested} is no longer in force; jobs run with {current}.",
            field="calibration_set_id",
        )

    async def read_job(self, actor: Actor, request: Request[None]) -> Response:
        """Read a job."""
        job, document = await self._gateway.jobs.get_with_vendor_fields(
            actor, request.path_params["id"], dialect=DIALECT
        )
        job = await self._gateway.first_polls.wait_if_ending_soon(
            actor, job, request.wait_until_disconnected
        )
        position = await self._gateway.queue.position(job)
        ahead = position.ahead if position else None
        return json(wire.job(job, wire.vendor_fields(document), ahead))

    async def read_payload(self, actor: Actor, request: Request[None]) -> Response:
        """Read the body with which a job was submitted."""
        job = await self._job(actor, request)
        program = await self._gateway.results.program(job, request.response_memory)
        return Response(program.source, media_type="application/json")

    async def read_measurements(self, actor: Actor, request: Request[None]) -> Response:
        """Read the bits of each shot, by circuit and by key of the measurement."""
        return await self._results(actor, request, results.measurements)

    async def read_counts(self, actor: Actor, request: Request[None]) -> Response:
        """Read how often each bit string was measured, by circuit."""
        return await self._results(actor, request, results.counts)

    async def cancel_job(self, actor: Actor, request: Request[None]) -> Response:
        """Cancel a job; a job that has ended is not changed."""
        await self._gateway.jobs.cancel(actor, request.path_params["id"], dialect=DIALECT)
        return Response(status_code=204)

    async def delete_job(self, actor: Actor, request: Request[None]) -> Response:
        """Cancel a job if it has not ended, and delete it."""
        id_text = request.path_params["id"]
        await self._gateway.jobs.cancel(actor, id_text, dialect=DIALECT, wait_s=_STOP_S)
        await self._gateway.jobs.delete(actor, id_text, dialect=DIALECT)
        return Response(status_code=204)

    async def _results(
        self, actor: Actor, request: Request[None], render: Callable[[JobResults], list[Any]]
    ) -> Response:
        job = await self._job(actor, request)
        if job.state is not JobState.COMPLETED:
            raise NotFound(f"The job is {job.state} and has no measurements.")
        found = await self._gateway.results.of(job, request.response_memory)
        return await json_in_thread(lambda: render(found), is_small=found.is_small)

    async def _job(self, actor: Actor, request: Request[Any]) -> Job:
        return await self._gateway.jobs.get(actor, request.path_params["id"], dialect=DIALECT)
