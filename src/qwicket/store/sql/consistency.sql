-- Checks of `qwicket doctor --deep`. Those with :after and :upto read the jobs of a range of `seq`,
-- by the primary key, and return the ids of jobs that break a rule.

-- name: check_last_seq
select coalesce(max(seq), 0) from job;

-- name: check_runs_without_lease
-- A forwarded job has no lease while it waits for a runner to adopt it.
select id from job
where seq > :after and seq <= :upto and state in ('running', 'cancelling')
    and not exists (
        select 1 from lease where lease.job = job.id and lease.runner is not null
    )
    and not exists (select 1 from forward where forward.job = job.id);

-- name: check_lease_without_run
-- A released job keeps its row without a runner, for the fencing token.
select id from job
where seq > :after and seq <= :upto and state not in ('running', 'cancelling', 'uncertain')
    and exists (
        select 1 from lease where lease.job = job.id and lease.runner is not null
    );

-- name: check_lease_without_runner
select id from job
where seq > :after and seq <= :upto
    and exists (
        select 1 from lease
        where lease.job = job.id and lease.runner is not null
            and not exists (select 1 from runner where runner.id = lease.runner)
    );

-- name: check_no_program
-- Drafts have none yet. Drafts that were refused or cancelled never had one, and `failed` and
-- `cancelled` include these.
select id from job
where seq > :after and seq <= :upto and state not in ('draft', 'failed', 'cancelled')
    and not exists (select 1 from program where program.job = job.id);

-- name: check_no_result
-- No result of a completed job, or a gap between its parts.
select id from job
where seq > :after and seq <= :upto and state = 'completed'
    and (
        select case when count(*) = max(part) + 1 then 1 else 0 end
        from outcome where outcome.job = job.id
    ) = 0;

-- name: check_result_too_early
select id from job
where seq > :after and seq <= :upto and state not in ('completed', 'failed', 'cancelled')
    and exists (select 1 from outcome where outcome.job = job.id);

-- name: check_no_share
-- Such a job is not found by claims.
select id from job
where seq > :after and seq <= :upto and state = 'queued' and held_by is null
    and not exists (
        select 1 from share
        where share.device = job.device and share.project = job.project and share.has_work = 1
    );

-- name: check_share_without_job
-- scans: in maintenance
-- Reads all shares, which are few; index job_to_claim.
select device || ' of project ' || project from share
where has_work = 1 and not exists (
    select 1 from job
    where job.device = share.device and job.project = share.project and job.state = 'queued'
        and job.held_by is null
);

-- name: check_job_bytes
select project, cast({job_bytes} as bigint) from job where seq > :after and seq <= :upto;

-- name: check_group_bytes
-- scans: in maintenance
-- Reads all groups.
select project, cast({group_bytes} as bigint) from "group";

-- name: check_project_bytes
-- scans: in maintenance
-- Reads all projects, which are few.
select id, name, stored_bytes from project;

-- name: check_results
-- The next small results after a part of a job, with their hashes; primary keys.
select job.seq, job.id, outcome.part, outcome.body, outcome.sha256
from job inner join outcome on outcome.job = job.id
where job.seq >= :after and job.seq <= :upto and outcome.body is not null
    and (job.seq > :after or outcome.part > :part)
order by job.seq, outcome.part
limit :limit;

-- name: check_large_result
-- The next large result; index outcome_by_blob.
select sha256 from outcome where body is null and sha256 > :after order by sha256 limit 1;

-- name: check_chunk
select bytes from blob where sha256 = :sha256 and part = :part;

-- name: check_job_of_large_result
-- Index outcome_by_blob.
select job from outcome where body is null and sha256 = :sha256 limit 1;

-- name: check_upload_size
-- scans: in maintenance
-- Reads all uploads, which are few.
select job from upload
where size is not null and size <> (
    select coalesce(sum(length(bytes)), 0) from upload_piece where upload_piece.upload = upload.id
);

-- name: check_upload_without_draft
-- scans: in maintenance
-- Reads all uploads, which are few.
select job from upload
where not exists (select 1 from job where job.id = upload.job and job.state = 'draft');

-- name: check_holders
-- Runners that hold leases, with their heartbeats and numbers of jobs. Runners are few; index
-- lease_by_runner.
select runner.id, runner.kind, runner.beat, (
    select count(*) from lease where lease.runner = runner.id
)
from runner
where exists (select 1 from lease where lease.runner = runner.id);
