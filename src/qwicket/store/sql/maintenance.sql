-- Periodic maintenance, and the duty that assigns it to one server.

-- name: duty_take
-- A duty is free if it has no holder, or if its holder is no longer a runner.
insert into duty (name, holder, fence) values (:name, :runner, 1)
on conflict (name) do update
set holder = excluded.holder, fence = duty.fence + 1
where not exists (select 1 from runner where runner.id = duty.holder);

-- name: duty_count
-- A worker of a scaler's group connects; nothing for a worker that no scaler has started.
update duty set fence = fence + 1 where name = :name;

-- name: duty_fence
select fence from duty where name = :name;

-- name: duty_holder
-- No row if the duty has no holder, or if its holder is no longer a runner.
select duty.holder from duty
inner join runner on runner.id = duty.holder
where duty.name = :name;

-- name: draft_expired
-- Index job_draft.
select id from job where state = 'draft' and expires_at <= :now limit :limit;

-- name: job_refuse
update job set
    state = {after:refuse}, version = version + 1, change = {next_change}, ended_at = {end},
    error_code = :error_code, error_text = :error_text
where id = :job and {before:refuse}
returning {job};

-- name: job_withheld_due
-- Ended jobs whose results must be shown now; index job_withheld.
select id, state from job
where withheld_until <= :now and state in ('completed', 'failed', 'cancelled')
limit :limit;

-- name: job_release_results
update job set withheld_until = null, version = version + 1, change = {next_change}
where id = :job
returning {job};

-- name: idempotency_due
-- Index idempotency_by_age.
select 1 from idempotency where made_at < :before limit 1;

-- name: webhook_any
-- scans: few rows
select 1 from webhook limit 1;

-- name: webhook_delete_of_account
delete from webhook where account = :account;

-- name: idempotency_purge
-- The oldest ones, about ten thousand; index idempotency_by_age.
delete from idempotency where made_at <= (
    select max(made_at) from (
        select made_at from idempotency where made_at < :before order by made_at limit 10000
    ) as oldest
);

-- name: job_old
-- Index job_ended.
select id from job where ended_at < :before limit :limit;

-- name: job_old_of_project
-- Index job_ended. :after is the time up to which earlier rounds have deleted the project's jobs.
select id from job
where ended_at >= :after and ended_at < :before and project = :project
limit :limit;

-- name: account_outlive
-- Run before a job is deleted: times and changes of later jobs must still be above those of this job.
update account set
    last_created_at = {greatest}(last_created_at, (select created_at from job where id = :job)),
    last_change = {greatest}(last_change, (select change from job where id = :job))
where id = (select account from job where id = :job);

-- name: job_size
-- The size of a job, with its project and account; primary keys only.
select project, account, cast({job_bytes} as bigint) from job where job.id = :job;

-- name: job_delete
delete from job where id = :job and ended_at is not null;

-- name: outcome_blobs
-- sorts: few rows
select distinct sha256 from outcome where job = :job and body is null and sha256 is not null;

-- name: blob_orphans
-- scans: in maintenance
-- Chunks of results that were never finished; indexes of `blob` and outcome_by_blob.
select distinct sha256 from blob
where not exists (
    select 1 from outcome where outcome.sha256 = blob.sha256 and outcome.body is null
);

-- name: blob_drop
-- Deletes only unused bytes, because equal results share them; index outcome_by_blob.
delete from blob
where sha256 = :sha256
    and not exists (
        select 1 from outcome where outcome.sha256 = :sha256 and outcome.body is null
    );

-- name: member_wrong_bytes
-- scans: in maintenance
-- sorts: in maintenance
-- Projects in which the sum of an account is wrong; reads all jobs and groups.
select project from (
    select project, account, bytes from {counted_bytes} as found
    except select project, account, bytes from member_bytes
) as missing
union
select project from (
    select project, account, bytes from member_bytes where bytes <> 0
    except select project, account, bytes from {counted_bytes} as found
) as excess;

-- name: member_forget_bytes
delete from member_bytes;

-- name: member_count_bytes
-- scans: in maintenance
-- sorts: in maintenance
-- Reads all jobs and groups.
insert into member_bytes (project, account, bytes)
select project, account, bytes from {counted_bytes} as found;

-- name: project_wrong_bytes
-- scans: in maintenance
-- Projects whose sum is not that of their accounts; reads all projects.
select id from project where stored_bytes <> (
    select cast(coalesce(sum(bytes), 0) as bigint) from member_bytes where member_bytes.project = project.id
);

-- name: project_repair_bytes
-- scans: in maintenance
update project set stored_bytes = (
    select cast(coalesce(sum(bytes), 0) as bigint) from member_bytes where member_bytes.project = project.id
)
where stored_bytes <> (
    select cast(coalesce(sum(bytes), 0) as bigint) from member_bytes where member_bytes.project = project.id
);

-- name: waiting_wrong
-- scans: in maintenance
-- sorts: in maintenance
-- Projects with a wrong number of waiting jobs, which only a change by hand can cause. Reads all
-- waiting jobs, by index job_waiting.
select project from (
    select project, account, number from {counted_waiting} as found
    except select project, account, number from waiting_jobs
) as missing
union
select project from (
    select project, account, number from waiting_jobs where number <> 0
    except select project, account, number from {counted_waiting} as found
) as excess;

-- name: waiting_forget
delete from waiting_jobs;

-- name: waiting_count
-- scans: in maintenance
-- Reads all waiting jobs, by index job_waiting.
insert into waiting_jobs (project, account, number)
select project, account, number from {counted_waiting} as found;

-- name: token_due
-- scans: in maintenance
-- Reads all tokens, which are few.
select 1 from token where revoked_at is null and expires_at <= :now limit 1;

-- name: token_expire
-- scans: in maintenance
-- Reads all tokens, which are few.
update token set revoked_at = expires_at where revoked_at is null and expires_at <= :now;

-- name: refusal_add
insert into sign_in_refusal (minute, address, number) values (:minute, :address, :number)
on conflict (minute, address) do update set number = sign_in_refusal.number + excluded.number;

-- name: refusal_due
select 1 from sign_in_refusal where minute < :before limit 1;

-- name: refusal_expire
delete from sign_in_refusal where minute < :before;

-- name: refusal_page
-- Newest first, with the whole of the last minute, because pages are continued before a minute; by
-- the primary key.
select minute, address, number from sign_in_refusal
where minute < :before and minute >= (
        select min(newest.minute) from (
            select minute from sign_in_refusal where minute < :before
            order by minute desc limit :number
        ) as newest
    )
order by minute desc, address desc;

-- name: database_size
-- scans: few rows
select {database_version}, {database_bytes}, {database_free_bytes};
