"""Bodies of invitations."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from qwicket.schema.base import RedactedRepr, ResponseBody, ResponsePart

_Name = Annotated[str, msgspec.Meta(max_length=254)]


class NewInvitationBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/admin/invitations`.

    Attributes:
        project: Name of the project that the accounts join; null for none.
        role: What they may do in the project.
        uses: How many accounts it can create, or let join the project.
        life_s: Seconds until it ends.
    """

    project: _Name | None = None
    role: Literal["member", "reader"] = "member"
    uses: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1
    life_s: Annotated[int, msgspec.Meta(ge=1, le=366 * 86_400)] = 7 * 86_400


class InvitationBody(ResponsePart, frozen=True, kw_only=True):
    """An invitation.

    Attributes:
        id: Its id.
        project: Name of the project that the accounts join; null for none.
        role: What they may do in the project.
        uses: How many accounts it can create, or let join the project.
        used: How many accounts it has created, or let join the project.
        created_at: Time of its creation.
        expires_at: Time of its end.
    """

    id: str
    project: str | None = None
    role: str = "member"
    uses: int
    used: int
    created_at: str | None = None
    expires_at: str | None = None


class CreatedInvitationBody(InvitationBody, RedactedRepr, frozen=True, kw_only=True):
    """A new invitation with its code.

    Attributes:
        code: The code; no other response contains it.
        url: Address of the page where people use it.
    """

    code: str
    url: str


class InvitationList(ResponseBody, frozen=True, kw_only=True):
    """The invitations that have not expired, the newest first; also those that are used up.

    Attributes:
        invitations: The invitations.
    """

    invitations: tuple[InvitationBody, ...]
