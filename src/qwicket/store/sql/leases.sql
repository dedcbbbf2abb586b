-- Leases (claim, renew, finish, release) and the runners that hold them.

-- name: job_claim
-- Claims a job of the project with the least usage: of its jobs with a positive priority the highest,
-- and of these the oldest. Without one, of the member with the least usage the job with the highest
-- priority, and of these the oldest. Only jobs count that fit into the memory and time of the runner
-- and that no reservation keeps from starting ({fits:…}). The condition {may_start:share} changes no
-- result: it skips projects none of whose jobs may start. Claims nothing while the device is off, or
-- if only a tiny job is wanted, and that job is not tiny or ran before.
-- The project is found first, by index share_next, then the member, by index member_share_next, and
-- then the job, by index job_to_claim or job_to_claim_of_member: a join would sort all waiting jobs.
-- Jobs that a server of version 1.0 queued may have no member_share: these are claimed last.
-- Also returns whether the job ran before, and so has a lease that was claimed; without the cast of
-- the returned id SQLite would not use the index of `lease`.
with turn (project) as materialized (
    select share.project
    from share
    where share.device = :device and share.has_work = 1
        and {takes:share}
        and {may_start:share}
        and exists (
            select 1 from job as waiting
            where waiting.device = share.device and waiting.project = share.project
                and {fits:waiting}
        )
    order by share.vtime, share.project
    limit 1
)
update job set
    state = {after:claim}, version = version + 1, change = {next_change}, runner = :runner,
    started_at = coalesce(started_at, {greatest}(:now, queued_at))
where {before:claim}
    and id = coalesce(
        (
            select id
            from job as next
            where next.device = :device and next.project = (select project from turn)
                and {fits:next} and next.priority > 0
            order by next.priority desc, next.seq
            limit 1
        ),
        (
            select id
            from job as next
            where next.device = :device and next.project = (select project from turn)
                and next.account = (
                    select member_share.account
                    from member_share
                    where member_share.device = :device
                        and member_share.project = (select project from turn)
                        and member_share.has_work = 1
                        and exists (
                            select 1 from job as waiting
                            where waiting.device = member_share.device
                                and waiting.project = member_share.project
                                and waiting.account = member_share.account
                                and {fits:waiting}
                        )
                    order by member_share.vtime, member_share.account
                    limit 1
                )
                and {fits:next}
            order by next.priority desc, next.seq
            limit 1
        ),
        (
            select id
            from job as next
            where next.device = :device and next.project = (select project from turn)
                and {fits:next}
            order by next.priority desc, next.seq
            limit 1
        )
    )
    and not exists (
        select 1 from device_state
        where device_state.device = :device and device_state.is_on = 0
            and (device_state.until_at is null or device_state.until_at > :now)
    )
    and (
        cast(:longest as double precision) is null
        or (est_seconds <= :longest and started_at is null)
    )
returning
    {job},
    (
        select count(*) from lease
        where lease.job = cast(job.id as text) and lease.claimed_at is not null
    );

-- name: express_next
-- sorts: few rows
-- The first short job of each lane (device, account, project), least recently served account first.
-- Devices that are off are left out, and jobs that a reservation keeps from starting. The recursion
-- steps from lane to lane in index job_express, so that the cost depends on the number of lanes, not
-- of jobs.
with recursive lane (name) as (
    select min(express) from job
    where state = 'queued' and express is not null and held_by is null
    union all
    select (
        select min(job.express) from job
        where job.state = 'queued' and job.express > lane.name and job.held_by is null
    )
    from lane
    where lane.name is not null
),
head (job) as materialized (
    select (
        select first.id from job as first
        where first.state = 'queued' and first.express = lane.name and first.held_by is null
        order by first.priority desc, first.seq
        limit 1
    )
    from lane
    where lane.name is not null
)
select job.id, job.device
from head
inner join job on job.id = head.job
inner join account on account.id = job.account
where account.express_from <= :now
    and {may_start:job}
    and not exists (
        select 1 from device_state
        where device_state.device = job.device and device_state.is_on = 0
            and (device_state.until_at is null or device_state.until_at > :now)
    )
order by account.express_turn, job.seq
limit :limit;

-- name: job_claim_express
-- Like job_claim, for a job that express_next found.
update job set
    state = {after:claim}, version = version + 1, change = {next_change}, runner = :runner,
    started_at = coalesce(started_at, {greatest}(:now, queued_at))
where id = :job and {before:claim} and held_by is null and express is not null
    and {may_start:job}
    and not exists (
        select 1 from device_state
        where device_state.device = job.device and device_state.is_on = 0
            and (device_state.until_at is null or device_state.until_at > :now)
    )
returning {job};

-- name: express_turn
-- Puts an account that was served at the end of the order. Index account_by_express_turn.
update account set express_turn = (select max(express_turn) from account) + 1 where id = :account;

-- name: express_bar
update account set express_from = :until where id = :account;

-- name: job_leave_express
update job set express = null where id = :job;

-- name: job_unattended
-- The oldest job that was forwarded to another cloud, has no runner and waits for no person;
-- index job_begun.
select {job} from job
where device = :device and state in ('running', 'cancelling', 'uncertain')
    and not exists (
        select 1 from lease where lease.job = job.id and lease.runner is not null
    )
    and not exists (
        select 1 from forward where forward.job = job.id and forward.unresolved is not null
    )
order by seq
limit 1;

-- name: job_unattended_devices
-- Devices with such jobs; index job_begun.
select distinct device from job
where state in ('running', 'cancelling', 'uncertain')
    and not exists (
        select 1 from lease where lease.job = job.id and lease.runner is not null
    )
    and not exists (
        select 1 from forward where forward.job = job.id and forward.unresolved is not null
    );

-- name: job_doubt
update job set
    state = {after:doubt}, version = version + 1, change = {next_change}
where id = :job and {before:doubt} and {holds_lease}
returning {job};

-- name: job_adopt
update job set
    state = {after:adopt}, version = version + 1, change = {next_change}
where id = :job and {before:adopt} and {holds_lease}
returning {job};

-- name: forward_get
select marker, vendor_job_id, absent, sent_to, intent_at from forward where job = :job;

-- name: forward_intend
-- From now on the other cloud may have the job, so a person's former statement becomes void. The
-- first intent counts until a person has stated that nothing came of it.
insert into forward (job, intent_at, marker, sent_to) values (:job, :now, :marker, :sent_to)
on conflict (job) do update set absent = 0, sent_to = excluded.sent_to,
    intent_at = case forward.absent when 1 then excluded.intent_at else forward.intent_at end;

-- name: forward_sent
update forward set vendor_job_id = :vendor_job_id, sent_at = :now, unresolved = null, absent = 0
where job = :job;

-- name: forward_resolve_sent
-- A person knows the id; `sent_to` is emptied, because it may be that of another account.
update forward set vendor_job_id = :vendor_job_id, sent_at = :now, unresolved = null, sent_to = ''
where job = :job;

-- name: forward_forget_sent
update forward set vendor_job_id = null, sent_at = null where job = :job;

-- name: forward_of_vendor_job
-- Another job of the device that has this id at its vendor; index forward_vendor_job.
select job.id from forward join job on job.id = forward.job
where forward.vendor_job_id = :vendor_job_id and job.device = :device and job.id <> :job
limit 1;

-- name: forward_respond
update forward set response = :response where job = :job;

-- name: forward_response_bytes
select coalesce(length(response), 0) from forward where job = :job;

-- name: forward_response
select vendor_job_id, response from forward where job = :job;

-- name: job_of_vendor_job
-- A job of an account, by its id at the server of its device.
select {shown_job} from forward join job on job.id = forward.job
where forward.vendor_job_id = :vendor_job_id and job.device = :device
and job.account = :account limit 1;

-- name: vendor_job_list
-- Jobs of an account at the server of a device, newest first, with their ids there. Those of an exam
-- are left out until its end, because lists there may contain results.
select job.seq, forward.vendor_job_id from job join forward on forward.job = job.id
where job.account = :account and job.device = :device and forward.vendor_job_id is not null
and job.withheld_until is null and job.seq < :before order by job.seq desc limit :limit;

-- name: forward_group
-- Group of a job, and the id there of its newest job that was sent; index job_by_group.
select "group".id, "group".dialect, "group".body, "group".expires_at, (
    select forward.vendor_job_id from job as other inner join forward on forward.job = other.id
    where other."group" = "group".id and other.device = job.device
    and forward.sent_to = :sent_to and forward.vendor_job_id is not null
    order by other.seq desc limit 1
)
from job inner join "group" on "group".id = job."group" where job.id = :job;

-- name: job_remark
-- A new version, for an event that changes nothing else.
update job set version = version + 1, change = {next_change} where id = :job
returning {job};

-- name: forward_withdraw
delete from forward where job = :job and vendor_job_id is null;

-- name: forward_leave
update forward set unresolved = :unresolved where job = :job;

-- name: forward_unresolved
select unresolved from forward where job = :job;

-- name: forward_absent
update forward set absent = 1, vendor_job_id = null, unresolved = null where job = :job;

-- name: lease_take
-- Also returns the circuits and options of the job, and its forwarding record; primary keys only.
-- Without `:now` the job was running already, and keeps the time of its claim.
insert into lease (job, fence, nonce, runner, request, claimed_at)
values (:job, 1, :nonce, :runner, :request, :now)
on conflict (job) do update
set fence = lease.fence + 1, nonce = excluded.nonce, runner = excluded.runner,
    request = excluded.request, progress = null,
    claimed_at = coalesce(excluded.claimed_at, lease.claimed_at)
returning
    fence,
    (select program.circuits from program where program.job = :job),
    (select program.options from program where program.job = :job),
    (select forward.marker from forward where forward.job = :job),
    (select forward.vendor_job_id from forward where forward.job = :job),
    (select forward.absent from forward where forward.job = :job),
    (select forward.sent_to from forward where forward.job = :job),
    (select forward.intent_at from forward where forward.job = :job);

-- name: lease_start
-- The first lease of a job that was claimed with its submission.
insert into lease (job, fence, nonce, runner, claimed_at)
values (:job, 1, :nonce, :runner, :now);

-- name: job_complete
update job set
    state = {after:complete}, version = version + 1, change = {next_change}, ended_at = {end},
    used_shots = coalesce(used_shots, cast(shots as bigint) * n_circuits), used_us = {used_us}
where id = :job and {before:complete} and {holds_lease}
returning {job}, used_us;

-- name: job_fail
update job set
    state = {after:fail}, version = version + 1, change = {next_change}, ended_at = {end},
    error_code = :error_code, error_text = :error_text, attempts = attempts + :counts_as_attempt,
    used_shots = coalesce(used_shots, cast(shots as bigint) * :parts), used_us = {used_us}
where id = :job and {before:fail} and {holds_lease}
returning {job}, used_us;

-- name: job_cancel
update job set
    state = {after:cancel}, version = version + 1, change = {next_change}, ended_at = {end},
    used_shots = 0, used_us = :used_us
where id = :job and {before:cancel} and {holds_lease}
returning {job};

-- name: job_release
update job set
    state = {after:release}, version = version + 1, change = {next_change},
    attempts = attempts + :counts_as_attempt
where id = :job and {before:release} and {holds_lease}
returning {job};

-- name: job_give_back
-- Like job_release, for a job that has not begun: it did not start.
update job set
    state = {after:release}, version = version + 1, change = {next_change}, started_at = null,
    runner = null
where id = :job and {before:release} and {holds_lease}
returning {job};

-- name: job_of_lease
select {job} from job where id = :job and {holds_lease};

-- name: lease_of_runner
-- A row if the runner still has exactly this lease; primary key.
select job from lease
where job = :job and fence = :fence and nonce = :nonce and runner = :runner;

-- name: lease_of_job
-- Primary key.
select fence, nonce, runner from lease where job = :job and runner is not null;

-- name: lease_void
-- Keeps the row with its fencing token, because that of the next lease must be higher.
update lease set runner = null, nonce = null, progress = null where job = :job;

-- name: lease_give_back
-- Like lease_void, of a job that has not begun.
update lease set runner = null, nonce = null, progress = null, claimed_at = null where job = :job;

-- name: lease_end
delete from lease where job in (select asked.value from {each_job});

-- name: lease_states
-- The leases of a runner with the states of their jobs; index lease_by_runner.
select lease.job, lease.fence, lease.nonce, job.state, lease.request
from lease
inner join job on job.id = lease.job
where lease.runner = :runner;

-- name: lease_orphans
-- Runners that no longer exist but have leases; index lease_by_runner.
select distinct runner from lease
where runner is not null and not exists (select 1 from runner where runner.id = lease.runner);

-- name: runner_add
insert into runner (
    id, kind, beat, slots, device, express_slots, memory_bytes, started_at, task_bytes, ends_at,
    projects, are_left
)
values (
    :id, :kind, 0, :slots, :device, :express_slots, :memory_bytes, :now, :task_bytes, :ends_at,
    :projects, :are_left
);

-- name: runner_beat
update runner set
    beat = beat + 1, task_bytes = :task_bytes, ends_at = :ends_at, projects = :projects,
    are_left = :are_left
where id = :id;

-- name: runner_at_beat
select 1 from runner where id = :id and beat = :beat;

-- name: runner_slots
-- Written only if the number changed, as that of a cluster does with its workers; primary key.
update runner set slots = :slots where id = :id and slots <> :slots;

-- name: runner_list
select
    id, kind, beat, slots, device, express_slots, memory_bytes, task_bytes, ends_at, projects,
    are_left
from runner;

-- name: runner_count
-- Runners are few.
select count(*) from runner where kind = :kind;

-- name: lease_progress
update lease set progress = :progress
where job = :job and fence = :fence and nonce = :nonce;

-- name: lease_progress_get
select progress from lease where job = :job and progress is not null;

-- name: runner_remove
delete from runner where id = :id;
