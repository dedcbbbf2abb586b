"""Projects for administrators, and their members, also for leads of the project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET
from starlette.responses import Response

from qwicket.dialects.native import account_wire
from qwicket.dialects.responses import json
from qwicket.model.errors import InvalidRequest
from qwicket.schema import admin as schema

if TYPE_CHECKING:
    from qwicket.dialects.native.admin.access import Access
    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor


async def list_all_projects(access: Access, actor: Actor, request: Request[None]) -> Response:
    """List all projects."""
    return json(account_wire.project_list(await access.admin.projects()))


async def create_project(
    access: Access, actor: Actor, request: Request[schema.NewProjectBody]
) -> Response:
    """Create a project without members."""
    body = request.payload
    made = await access.admin.add_project(body.name, shares=body.shares)
    return json(account_wire.project(made), 201)


async def change_project(
    access: Access, actor: Actor, request: Request[schema.ProjectChangeBody]
) -> Response:
    """Set the shares of a project, or after how many days its ended jobs are deleted."""
    name, body = request.path_params["project"], request.payload
    if body.shares is UNSET and body.retention_days is UNSET:
        raise InvalidRequest("Give shares, retention_days or both.", field="shares")
    if body.shares is not UNSET:
        changed = await access.admin.set_shares(name, body.shares)
    if body.retention_days is not UNSET:
        changed = await access.admin.set_retention(name, body.retention_days)
    return json(account_wire.project(changed))


async def list_members(access: Access, actor: Actor, request: Request[None]) -> Response:
    """List the accounts in a project, as an administrator or a lead of it."""
    await access.admin.led_project(actor, request.path_params["project"])
    members = await access.admin.members(request.path_params["project"])
    shown = tuple(schema.MemberBody(**each._asdict()) for each in members)
    return json(schema.MemberList(accounts=tuple(each.name for each in members), members=shown))


async def add_member(access: Access, actor: Actor, request: Request[None]) -> Response:
    """Add an account to a project: it may submit jobs for the project and read its jobs."""
    await access.admin.led_project(actor, request.path_params["project"])
    names = request.path_params
    await access.admin.add_member(names["project"], names["account"])
    return Response(status_code=204)


async def change_member(
    access: Access, actor: Actor, request: Request[schema.MemberChangeBody]
) -> Response:
    """Change the shares or the role of a member in a project."""
    await access.admin.led_project(actor, request.path_params["project"])
    names, body = request.path_params, request.payload
    if body.shares is None and body.role is None:
        raise InvalidRequest("Give shares, role or both.", field="shares")
    await access.admin.change_member(
        names["project"], names["account"], shares=body.shares, role=body.role
    )
    return Response(status_code=204)


async def remove_member(access: Access, actor: Actor, request: Request[None]) -> Response:
    """Remove an account from a project, and revoke its tokens for that project."""
    await access.admin.led_project(actor, request.path_params["project"])
    names = request.path_params
    await access.admin.remove_member(names["project"], names["account"])
    return Response(status_code=204)
