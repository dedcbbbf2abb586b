-- Leases: the four verbs of scheduling, and the runners that hold them.

-- name: job_claim
-- The oldest job of the highest priority; index job_to_claim.
update job set
    state = {after:claim}, version = version + 1, change = {next_change},
    started_at = coalesce(started_at, :now)
where id = (
    select id from job
    where device = :device and {before:claim}
    order by priority desc, seq
    limit 1
) and {before:claim}
returning {job};

-- name: lease_take
insert into lease (job, fence, nonce, runner) values (:job, 1, :nonce, :runner)
on conflict (job) do update
set fence = lease.fence + 1, nonce = excluded.nonce, runner = excluded.runner
returning fence;

-- name: program_of_claim
select circuits, options from program where job = :job;

-- name: job_complete
update job set
    state = {after:complete}, version = version + 1, change = {next_change}, ended_at = :now
where id = :job and {before:complete} and {holds_lease}
returning {job};

-- name: job_fail
update job set
    state = {after:fail}, version = version + 1, change = {next_change}, ended_at = :now,
    error_code = :error_code, error_text = :error_text, attempts = attempts + :blamed
where id = :job and {before:fail} and {holds_lease}
returning {job};

-- name: job_cancel
update job set
    state = {after:cancel}, version = version + 1, change = {next_change}, ended_at = :now
where id = :job and {before:cancel} and {holds_lease}
returning {job};

-- name: job_release
update job set
    state = {after:release}, version = version + 1, change = {next_change},
    attempts = attempts + :blamed
where id = :job and {before:release} and {holds_lease}
returning {job};

-- name: job_of_lease
select {job} from job where id = :job and {holds_lease};

-- name: lease_void
-- The fence stays: the next lease must be higher.
update lease set runner = null, nonce = null where job = :job;

-- name: lease_end
delete from lease where job = :job;

-- name: lease_list
-- What one runner holds; index lease_by_runner.
select job, fence, nonce, runner from lease where runner = :runner;

-- name: runner_add
insert into runner (id, kind, beat, started_at) values (:id, :kind, 0, :now);

-- name: runner_beat
update runner set beat = beat + 1 where id = :id;

-- name: runner_list
select id from runner where kind = :kind;

-- name: runner_remove
delete from runner where id = :id;
