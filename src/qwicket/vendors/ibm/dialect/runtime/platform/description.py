"""Bodies that only the platform channel has, as structs for its description."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, UnsetType, field

from qwicket.vendors.ibm.dialect.runtime.description import Body, JobFields

# --- account --------------------------------------------------------------------------------------


class Granted(Body, frozen=True):
    """An access token and a refresh token.

    Attributes:
        expires_in: Life of the access token in seconds.
        expiration: Its end, in seconds since 1970.
    """

    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int
    expiration: int
    scope: str


class KeySet(Body, frozen=True):
    """Public keys: always none."""

    keys: list[Any]


class Extensions(Body, frozen=True):
    """The name of an instance."""

    instance: str


class Doc(Body, frozen=True):
    """The instance in the document of its resource."""

    extensions: Extensions


class Instance(Body, frozen=True):
    """An instance: the project of the token."""

    crn: str
    name: str
    service_name: str
    service_plan_unique_id: str
    type: str
    region: str
    tags: list[str]
    doc: Doc


class InstanceList(Body, frozen=True):
    """Instances."""

    items: list[Instance]
    limit: int


class DisplayName(Body, frozen=True):
    """A name for people."""

    display_name: str


class Pricing(Body, frozen=True):
    """Kind of pricing: `free`."""

    type: str


class PlanMetadata(Body, frozen=True):
    """The pricing of a plan."""

    pricing: Pricing


class Plan(Body, frozen=True):
    """A pricing plan.

    Attributes:
        overview_ui: Its names by language.
    """

    id: str
    name: str
    kind: str
    overview_ui: dict[str, DisplayName]
    metadata: PlanMetadata


class UsagePeriod(Body, frozen=True):
    """The current month until now; with a budget, the budget's period until now."""

    start_time: str
    end_time: str


class Usage(Body, frozen=True, kw_only=True):
    """Use of the instance.

    Attributes:
        usage_consumed_seconds: Seconds for which the account's jobs ran; with a budget, seconds
            used of it.
        usage_limit_seconds: Seconds of the project's budget; absent without a budget.
    """

    instance_id: str
    plan_id: str
    usage_consumed_seconds: float
    usage_limit_reached: bool
    usage_limit_seconds: float | UnsetType = UNSET
    usage_period: UsagePeriod


# --- devices and jobs -----------------------------------------------------------------------------


class DeviceStatus(Body, frozen=True):
    """Whether a device takes jobs, and why."""

    name: str
    reason: str


class Device(Body, frozen=True):
    """A device, with the number of its waiting jobs; `class` is there for mocks only."""

    name: str
    qubits: int
    queue_length: int
    status: DeviceStatus
    is_simulator: bool
    class_: Literal["mock"] | UnsetType = field(default=UNSET, name="class")


class DeviceList(Body, frozen=True):
    """The devices."""

    devices: list[Device]


class Job(JobFields, frozen=True, kw_only=True):
    """A job.

    Attributes:
        params: The parameters of its program; absent in lists, and if `exclude_params` is true.
    """

    params: dict[str, Any] | UnsetType = UNSET


class JobPage(Body, frozen=True):
    """Jobs, and the number of all that match."""

    jobs: list[Job]
    count: int
    limit: int
    offset: int
