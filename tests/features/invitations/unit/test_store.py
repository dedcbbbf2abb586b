"""Invitations of leads: to which projects, how many, and until when."""

from __future__ import annotations

import pytest

from qwicket.features.invitations.store import Invitation, InvitationStore
from qwicket.model.accounts import InvitedRole, Token
from qwicket.model.errors import Forbidden, LimitExceeded, NotFound
from qwicket.model.ids import new_id
from qwicket.store import Store
from qwicket.store.links import Use
from support.stores import NOW, make_token

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]


def invitation(project: str | None, role: InvitedRole = "member") -> Invitation:
    return Invitation(new_id(NOW), project, role, 1, 0, NOW, NOW + 1000, "ada")


async def add(store: Store, made: Invitation) -> Invitation:
    invitations = store.feature(InvitationStore)
    return await invitations.add(made, made.id.encode(), by_lead=True)


async def test_leads_invite_to_shared_projects_and_a_limited_number_of_times(
    store: Store, ada: Token
) -> None:
    lab = (await store.accounts.add_project("lab", 1, NOW)).id
    with pytest.raises(Forbidden, match="a person's own project"):
        await add(store, invitation("ada"))
    first, *_ = [await add(store, invitation("lab")) for _ in range(64)]
    with pytest.raises(LimitExceeded, match="has 64 invitations"):
        await add(store, invitation("lab"))
    invitations = store.feature(InvitationStore)
    own = (await store.accounts.project("ada")).id
    assert len(await invitations.all(NOW, lab)) == len(await invitations.all(NOW)) == 64
    assert await invitations.all(NOW, own) == []
    with pytest.raises(NotFound):
        await invitations.remove(first.id, own)
    await invitations.remove(first.id, lab)
    await add(store, invitation("lab"))


async def test_invited_persons_have_the_role_and_members_keep_theirs(
    store: Store, ada: Token
) -> None:
    await store.accounts.add_project("lab", 1, NOW)
    await store.accounts.add_member("lab", "ada", "lead")
    for name in ("ben", "cleo"):
        await make_token(store, name)
    await store.accounts.add_member("lab", "cleo")
    made = await add(store, invitation("lab", "reader")._replace(maximum=9))
    for name in ("ada", "ben", "cleo"):
        use = Use(made.id.encode(), "", NOW)
        await store.feature(InvitationStore).join(use, name)
    roles = {each.name: each.role for each in await store.accounts.memberships("lab")}
    assert roles == {"ada": "lead", "ben": "reader", "cleo": "member"}


async def test_the_invitations_of_a_former_lead_end_and_those_of_others_stay(
    store: Store, ada: Token
) -> None:
    await store.accounts.add_project("lab", 1, NOW)
    await store.accounts.add_member("lab", "ada", "lead")
    invitations = store.feature(InvitationStore)
    await add(store, invitation("lab"))
    others = await add(store, invitation("lab")._replace(made_by="cleo"))
    await store.accounts.change_member("lab", "ada", shares=2)
    await store.accounts.change_member("lab", "ada", role="lead")
    assert len(await invitations.all(NOW)) == 2
    await store.accounts.change_member("lab", "ada", role="reader")
    assert await invitations.all(NOW) == [others]
    await add(store, invitation("lab"))
    await store.accounts.remove_member("lab", "ada", NOW)
    assert await invitations.all(NOW) == [others]
