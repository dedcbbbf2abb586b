"""The routes of `/v1/admin`: for the scope `admin`, some also for leads of a project."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Final

from qwicket.dialects.native import account_wire
from qwicket.dialects.native.admin import (
    accounts,
    audit,
    devices,
    jobs,
    overview,
    projects,
    usage,
)
from qwicket.dialects.native.admin.access import LEAD, TokenAccess
from qwicket.dialects.native.params import SEARCH
from qwicket.dialects.native.wire import PROBLEM_TYPE, problem
from qwicket.dialects.routing import Body, Dialect, Route, json_body
from qwicket.model.accounts import Scope
from qwicket.registrations import of_features
from qwicket.schema import accounts as account_schema
from qwicket.schema import admin as schema
from qwicket.schema import budgets as budget_schema
from qwicket.schema.jobs import ChangeJobBody

if TYPE_CHECKING:
    from qwicket.dialects.native.admin.access import Access
    from qwicket.dialects.registration import DialectSettings
    from qwicket.gateway import Gateway

_ADMIN: Final = Scope.ADMIN
_TOKEN: Final = Body(account_wire.any_token_request, account_wire.AnyTokenRequest)
_ACCOUNT: Final = json_body(schema.NewAccountBody)
_PEOPLE: Final = json_body(schema.PeopleBody)
_IMPORT: Final = json_body(schema.ImportBody)
_ACCOUNT_CHANGE: Final = json_body(schema.AccountChangeBody)
_RESET: Final = json_body(schema.ResetBody)
_PROJECT: Final = json_body(schema.NewProjectBody)
_PROJECT_CHANGE: Final = json_body(schema.ProjectChangeBody)
_MEMBER_CHANGE: Final = json_body(schema.MemberChangeBody)
_DEVICE: Final = json_body(schema.DeviceChangeBody)
_PROVIDER: Final = json_body(schema.NewProviderBody)
_JOB: Final = json_body(ChangeJobBody)
_JOB_OUTCOME: Final = json_body(schema.ResolveJobBody)
_JOBS: Final = json_body(schema.ChangeJobsBody)
_BACKUP: Final = json_body(schema.BackupBody)
_PROVIDER_CHANGE: Final = json_body(schema.ProviderChangeBody)

_ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "GET",
        "/accounts",
        accounts.list_accounts,
        _ADMIN,
        parameters=("deleted",),
        responses=(schema.AdminAccountList,),
    ),
    Route(
        "POST",
        "/accounts",
        accounts.create_account,
        _ADMIN,
        _ACCOUNT,
        responses=(schema.AdminAccountBody,),
        status=201,
    ),
    Route(
        "POST",
        "/bulk/accounts",
        accounts.create_accounts,
        _ADMIN,
        _PEOPLE,
        responses=(schema.SecretList,),
        status=201,
    ),
    Route(
        "POST",
        "/bulk/people",
        accounts.import_people,
        _ADMIN,
        _IMPORT,
        responses=(schema.ImportedBody,),
    ),
    Route(
        "GET",
        "/accounts/{account}",
        accounts.read_any_account,
        _ADMIN,
        responses=(schema.AdminAccountBody,),
    ),
    Route(
        "PATCH",
        "/accounts/{account}",
        accounts.change_account,
        _ADMIN,
        _ACCOUNT_CHANGE,
        responses=(schema.AdminAccountBody,),
    ),
    Route(
        "DELETE",
        "/accounts/{account}",
        accounts.delete_account,
        _ADMIN,
        parameters=("jobs",),
        status=204,
    ),
    Route(
        "POST",
        "/accounts/{account}/reset",
        accounts.reset_account,
        _ADMIN,
        _RESET,
        responses=(schema.AdminAccountBody,),
    ),
    Route(
        "POST",
        "/accounts/{account}/password-link",
        accounts.make_password_link,
        _ADMIN,
        responses=(schema.PasswordLinkBody,),
        status=201,
    ),
    Route(
        "POST",
        "/accounts/{account}/restore",
        accounts.restore_account,
        _ADMIN,
        responses=(schema.AdminAccountBody,),
    ),
    Route(
        "GET",
        "/accounts/{account}/tokens",
        accounts.list_tokens_of,
        _ADMIN,
        responses=(account_schema.TokenList,),
    ),
    Route(
        "POST",
        "/accounts/{account}/tokens",
        accounts.create_token_for,
        _ADMIN,
        _TOKEN,
        responses=(account_schema.NewTokenBody,),
        status=201,
    ),
    Route(
        "DELETE",
        "/tokens/{token}",
        accounts.revoke_any_token,
        _ADMIN,
        responses=(schema.RevokedBody,),
    ),
    Route(
        "GET",
        "/projects",
        projects.list_all_projects,
        _ADMIN,
        responses=(account_schema.ProjectList,),
    ),
    Route(
        "POST",
        "/projects",
        projects.create_project,
        _ADMIN,
        _PROJECT,
        responses=(account_schema.ProjectBody,),
        status=201,
    ),
    Route(
        "PATCH",
        "/projects/{project}",
        projects.change_project,
        _ADMIN,
        _PROJECT_CHANGE,
        responses=(account_schema.ProjectBody,),
    ),
    Route(
        "GET",
        "/projects/{project}/members",
        projects.list_members,
        LEAD,
        responses=(schema.MemberList,),
    ),
    Route("PUT", "/projects/{project}/members/{account}", projects.add_member, LEAD, status=204),
    Route(
        "PATCH",
        "/projects/{project}/members/{account}",
        projects.change_member,
        LEAD,
        _MEMBER_CHANGE,
        status=204,
    ),
    Route(
        "DELETE",
        "/projects/{project}/members/{account}",
        projects.remove_member,
        LEAD,
        status=204,
    ),
    Route("GET", "/devices", devices.list_all_devices, _ADMIN, responses=(schema.AdminDeviceList,)),
    Route("GET", "/slots", devices.list_slots, _ADMIN, responses=(schema.SlotsList,)),
    Route("PATCH", "/devices/{name}", devices.change_device, _ADMIN, _DEVICE, status=204),
    Route("GET", "/providers", devices.list_providers, _ADMIN, responses=(schema.ProviderList,)),
    Route(
        "POST",
        "/providers",
        devices.create_provider,
        _ADMIN,
        _PROVIDER,
        responses=(schema.ProviderBody,),
        status=201,
    ),
    Route(
        "PATCH",
        "/providers/{provider}",
        devices.change_provider,
        _ADMIN,
        _PROVIDER_CHANGE,
        status=204,
    ),
    Route("POST", "/keys/rotate", devices.rotate_keys, _ADMIN, status=204),
    Route(
        "GET",
        "/jobs",
        jobs.list_all_jobs,
        (_ADMIN, Scope.JOBS_READ),
        parameters=("limit", "before", "after", "account", "project", *SEARCH),
        responses=(schema.AdminJobList,),
    ),
    Route("GET", "/jobs/{id}", jobs.read_any_job, _ADMIN, responses=(schema.AdminJobBody,)),
    Route(
        "POST", "/jobs/{id}/cancel", jobs.cancel_any_job, _ADMIN, responses=(schema.AdminJobBody,)
    ),
    Route(
        "PATCH", "/jobs/{id}", jobs.change_any_job, _ADMIN, _JOB, responses=(schema.AdminJobBody,)
    ),
    Route("POST", "/jobs/{id}/requeue", jobs.requeue_job, _ADMIN, responses=(schema.AdminJobBody,)),
    Route("POST", "/jobs/{id}/abandon", jobs.abandon_job, _ADMIN, responses=(schema.AdminJobBody,)),
    Route(
        "POST",
        "/jobs/{id}/resolve",
        jobs.resolve_job,
        _ADMIN,
        _JOB_OUTCOME,
        responses=(schema.AdminJobBody,),
    ),
    Route(
        "POST",
        "/bulk/jobs",
        jobs.change_jobs,
        (_ADMIN, Scope.JOBS_WRITE),
        _JOBS,
        responses=(schema.ChangedJobsBody,),
    ),
    Route(
        "GET",
        "/audit",
        audit.list_acts,
        _ADMIN,
        parameters=("limit", "before"),
        responses=(schema.ActList,),
    ),
    Route(
        "GET",
        "/audit/refusals",
        audit.list_refusals,
        _ADMIN,
        parameters=("limit", "before"),
        responses=(schema.RefusalList,),
    ),
    Route(
        "GET",
        "/audit/verification",
        audit.verify_audit,
        _ADMIN,
        parameters=("hash",),
        responses=(schema.VerificationBody,),
    ),
    Route(
        "GET",
        "/overview",
        overview.read_overview,
        _ADMIN,
        responses=(schema.OverviewBody,),
    ),
    Route("POST", "/backups", overview.note_backup, _ADMIN, _BACKUP, status=204),
    Route(
        "GET",
        "/usage",
        usage.read_usage,
        LEAD,
        parameters=("from", "to", "by", "project", "tree"),
        responses=(budget_schema.UseList,),
    ),
)
_OF_SOME_DEVICES: Final = frozenset(
    {
        jobs.list_all_jobs,
        jobs.read_any_job,
        jobs.cancel_any_job,
        jobs.change_any_job,
        jobs.requeue_job,
        jobs.abandon_job,
        jobs.resolve_job,
        jobs.change_jobs,
        devices.list_all_devices,
        devices.change_device,
    }
)
"""Handlers that keep to the devices of a token. All others refuse tokens for some devices, because
what they show or change concerns all: a new token, for example, could be for all devices."""


def _declared(route: Route) -> Route:
    """Return a route whose requests go into the audit log if they may change something."""
    if route.method == "GET" and not route.is_recorded:
        return route
    return dataclasses.replace(route, handler=audit.record_requests(route))


ROUTES: Final = (
    *(
        _declared(dataclasses.replace(each, is_of_all_devices=each.handler not in _OF_SOME_DEVICES))
        for each in _ROUTES
    ),
    *(_declared(each) for routes in of_features("admin_routes") for each in routes),
)


def dialect(gateway: Gateway, settings: DialectSettings) -> Dialect:
    """Return the application at `/v1/admin`."""
    return application(TokenAccess(gateway), settings.public_url)


def application(access: Access, public_url: str = "") -> Dialect:
    """Return the application; `access` decides how administrators sign in."""
    error_body = functools.partial(problem, public_url=public_url)
    return Dialect(access, ROUTES, error_body, error_type=PROBLEM_TYPE)
