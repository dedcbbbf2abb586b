"""Shares of jobs: with another account, or with anyone who has a link."""

from __future__ import annotations

from typing import Final

from qwicket.registrations import Command, Feature

FEATURE: Final = Feature(
    name="shares",
    has_statements=True,
    columns={
        "job_share": "job_share.id, job_share.job, job.device, (select account.name from account"
        " where account.id = job_share.account), job_share.created_at, job_share.expires_at"
        " from job_share inner join job on job.id = job_share.job"
    },
    routes="qwicket.features.shares.routes:ROUTES",
    commands=(Command("share", "qwicket.features.shares.commands"),),
    maintenance="qwicket.features.shares.store:delete_expired",
)
