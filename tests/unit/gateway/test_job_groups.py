from __future__ import annotations

from collections.abc import Sequence

import pytest

from qwicket.gateway import Gateway
from qwicket.gateway.admin import Admin
from qwicket.model.accounts import DEFAULT_SCOPES, Actor
from qwicket.model.errors import Forbidden, InvalidRequest, LimitExceeded, NotFound
from qwicket.model.groups import Group
from qwicket.model.ids import new_id, part_id
from qwicket.model.jobs import Submission
from qwicket.model.states import JobState
from support.stores import NOW

pytestmark = pytest.mark.anyio

HERE = "127.0.0.1"


async def actor(
    gateway: Gateway, admin: Admin, name: str, scopes: Sequence[str] = DEFAULT_SCOPES
) -> Actor:
    made = await admin.create_token(name, scopes=scopes)
    return await gateway.auth.by_token(made.secret, HERE)


@pytest.fixture
async def ada(gateway: Gateway, admin: Admin) -> Actor:
    await admin.add_account("ada", email=None, password=None)
    return await actor(gateway, admin, "ada")


@pytest.fixture
async def bob(gateway: Gateway, admin: Admin) -> Actor:
    await admin.add_account("bob", email=None, password=None)
    return await actor(gateway, admin, "bob")


@pytest.fixture
async def group(gateway: Gateway, ada: Actor) -> Group:
    return await gateway.job_groups.open(ada, "ionq", name="a session")


async def change(gateway: Gateway, who: Actor, group: Group, how: str) -> None:
    groups = gateway.job_groups
    match how:
        case "close":
            await groups.close(who, group.id)
        case "delete":
            await groups.delete(who, group.id)
        case "annotate":
            await groups.annotate(who, group, b"{}")
        case _:
            await groups.cancel_all(who, group.id)


CHANGES = pytest.mark.parametrize("how", ["close", "delete", "annotate", "cancel"])


@CHANGES
async def test_anothers_group_is_not_there_and_a_project_mates_is_only_read(
    gateway: Gateway, admin: Admin, ada: Actor, bob: Actor, group: Group, how: str
) -> None:
    for ask in (gateway.job_groups.get(bob, group.id), change(gateway, bob, group, how)):
        with pytest.raises(NotFound):
            await ask
    await admin.add_member("ada", "bob")
    assert await gateway.job_groups.get(bob, group.id) == group
    with pytest.raises(Forbidden, match="opened"):
        await change(gateway, bob, group, how)
    assert await gateway.job_groups.get(ada, group.id) == group


@CHANGES
async def test_a_token_that_only_reads_changes_no_group(
    gateway: Gateway, admin: Admin, ada: Actor, group: Group, how: str
) -> None:
    reader = await actor(gateway, admin, "ada", ["jobs:read"])
    assert await gateway.job_groups.get(reader, group.id) == group
    with pytest.raises(Forbidden, match="jobs:write"):
        await change(gateway, reader, group, how)
    with pytest.raises(Forbidden, match="jobs:write"):
        await gateway.job_groups.open(reader, "ionq")
    assert await gateway.job_groups.get(ada, group.id) == group


async def test_a_group_is_found_by_its_own_id_at_its_own_dialect(
    gateway: Gateway, ada: Actor, group: Group
) -> None:
    assert await gateway.job_groups.get(ada, group.id.upper(), dialect="ionq") == group
    odd = (("qbraid", group.id), *((None, id_) for id_ in (new_id(NOW), part_id(group.id, 0), "x")))
    for dialect, id_text in odd:
        with pytest.raises(NotFound):
            await gateway.job_groups.get(ada, id_text, dialect=dialect)


async def test_what_no_group_may_be_is_refused(gateway: Gateway, ada: Actor) -> None:
    longest_s = gateway.limits.quotas.group_life_s
    groups = gateway.job_groups
    for life_s in (0, -1, float("nan"), longest_s + 1):
        with pytest.raises(LimitExceeded, match="group_life_s"):
            await groups.open(ada, "ionq", life_s=life_s)
    opened = await groups.open(ada, "ionq", life_s=longest_s)
    assert opened.expires_at == NOW + 1000 * longest_s
    with pytest.raises(LimitExceeded, match="name_chars"):
        await groups.open(ada, "ionq", name="x" * 21)
    with pytest.raises(InvalidRequest, match="NUL"):
        await groups.open(ada, "ionq", name="a\0b")
    with pytest.raises(InvalidRequest, match="jobs_limit"):
        await groups.open(ada, "ionq", jobs_limit=0)
    for device in ("nowhere", "X8_01"):  # the last is Xanadu's alone
        with pytest.raises(NotFound):
            await groups.open(ada, "ionq", device=device)
    assert len(await groups.page(ada, "ionq")) == 1


@pytest.mark.needs_vendors
async def test_a_group_ends_with_its_time_and_its_jobs_are_cancelled_together(
    gateway: Gateway, ada: Actor
) -> None:
    group = await gateway.job_groups.open(ada, "ionq", jobs_limit=3)
    new = Submission(
        dialect="ionq",
        device="simulator",
        format="ionq.circuit.v1",
        source=b'{"qubits": 1, "circuit": []}',
        shots=10,
        group=group.id,
    )
    jobs = [(await gateway.jobs.submit(ada, new)).id for _ in range(3)]
    with pytest.raises(LimitExceeded, match="takes at most 3 jobs"):
        await gateway.jobs.submit(ada, new)
    assert await gateway.job_groups.cancel_all(ada, group.id) == jobs
    assert await gateway.job_groups.tally(ada, group) == {JobState.CANCELLED: 3}
