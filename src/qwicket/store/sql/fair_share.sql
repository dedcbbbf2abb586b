-- Fair share: the order of projects on a device, and of members in a project.

-- name: share_open
-- A project has waiting jobs again. So that a pause does not give it the whole device, its usage
-- `vtime` is set to at least the minimum of the waiting projects less :advantage. Index share_next.
insert into share (device, project, vtime, has_work)
values (
    :device, :project,
    {greatest}(0, coalesce(
        (select min(other.vtime) - :advantage from share as other
         where other.device = :device and other.has_work = 1),
        0
    )),
    1
)
on conflict (device, project) do update
set has_work = 1, vtime = {greatest}(share.vtime, excluded.vtime)
where share.has_work = 0;

-- name: member_share_open
-- Like share_open, for a member among those of its project; index member_share_next.
insert into member_share (device, project, account, vtime, has_work)
values (
    :device, :project, :account,
    {greatest}(0, coalesce(
        (select min(other.vtime) - :advantage from member_share as other
         where other.device = :device and other.project = :project and other.has_work = 1),
        0
    )),
    1
)
on conflict (device, project, account) do update
set has_work = 1, vtime = {greatest}(member_share.vtime, excluded.vtime)
where member_share.has_work = 0;

-- name: share_charge
-- Adds usage, and sets whether more of the project's jobs wait; index job_to_claim.
update share set
    vtime = vtime + :charge / (select project.shares from project where project.id = :project),
    has_work = case when exists (
        select 1 from job
        where job.device = :device and job.project = :project and job.state = 'queued'
            and job.held_by is null
    ) then 1 else 0 end
where device = :device and project = :project;

-- name: member_share_charge
-- Like share_charge, for a member; index job_to_claim_of_member. Jobs of an account that has left the
-- project weigh as those of one member.
update member_share set
    vtime = vtime + :charge / coalesce((
        select member.shares from member
        where member.account = :account and member.project = :project
    ), 1),
    has_work = case when exists (
        select 1 from job
        where job.device = :device and job.project = :project and job.account = :account
            and job.state = 'queued' and job.held_by is null
    ) then 1 else 0 end
where device = :device and project = :project and account = :account;

-- name: share_start
-- Adds the usage of jobs that were claimed with their submission, so that none of them has waited.
insert into share (device, project, vtime, has_work)
values (
    :device, :project,
    :charge / (select project.shares from project where project.id = :project),
    0
)
on conflict (device, project) do update set vtime = share.vtime + excluded.vtime;

-- name: member_share_start
-- Like share_start, for a member.
insert into member_share (device, project, account, vtime, has_work)
values (
    :device, :project, :account,
    :charge / coalesce((
        select member.shares from member
        where member.account = :account and member.project = :project
    ), 1),
    0
)
on conflict (device, project, account) do update set vtime = member_share.vtime + excluded.vtime;

-- name: share_waits
-- A row if jobs wait for a device; index share_next.
select 1 from share where device = :device and has_work = 1 limit 1;

-- name: share_devices
-- scans: in maintenance
-- sorts: in maintenance
-- Devices that are on and have waiting jobs that may start; and, in a row without a device, the next
-- time at which a device is on again or a window ends, and whether only some slots are reserved in a
-- window. Reads all devices and projects, which are few.
select distinct share.device, cast(null as bigint), 0 from share
where share.has_work = 1
    and {may_start:share}
    and not exists (
        select 1 from device_state
        where device_state.device = share.device and device_state.is_on = 0
            and (device_state.until_at is null or device_state.until_at > :now)
    )
union all
select cast(null as text), min(due.at), max(due.reserves_slots) from (
    select until_at as at, 0 as reserves_slots from device_state where is_on = 0 and until_at > :now
    union all
    select until_at, case when slots is null then 0 else 1 end from reservation
    where until_at > :now and from_at <= :now
) as due;

-- name: share_list
-- Index share_next.
select share.project, share.vtime, project.shares
from share
inner join project on project.id = share.project
where share.device = :device and share.has_work = 1;

-- name: member_share_list
-- Index member_share_next.
select member_share.project, member_share.account, member_share.vtime, coalesce(member.shares, 1)
from member_share
left join member on member.account = member_share.account
    and member.project = member_share.project
where member_share.device = :device and member_share.has_work = 1;

-- name: share_list_idle
-- Shares of projects without waiting jobs among those of the last completed jobs; index
-- job_completed and primary keys.
select share.project, share.vtime, project.shares
from share
inner join project on project.id = share.project
where share.device = :device and share.has_work = 0
    and share.project in (
        select recent.project from (
            select job.project from job
            where job.device = :device and job.state = 'completed'
            order by job.ended_at desc
            limit :limit
        ) as recent
    );

-- name: share_wrong
-- scans: in maintenance
-- A row if any `has_work` is wrong, which only a bug can cause.
select 1 from share
where has_work <> case when exists (
    select 1 from job
    where job.device = share.device and job.project = share.project and job.state = 'queued'
        and job.held_by is null
) then 1 else 0 end
limit 1;

-- name: member_share_wrong
-- scans: in maintenance
-- Like share_wrong.
select 1 from member_share
where has_work <> case when exists (
    select 1 from job
    where job.device = member_share.device and job.project = member_share.project
        and job.account = member_share.account and job.state = 'queued' and job.held_by is null
) then 1 else 0 end
limit 1;

-- name: share_repair
-- scans: in maintenance
-- Corrects wrong `has_work` flags, which only a bug can cause.
update share set has_work = 1 - has_work
where has_work <> case when exists (
    select 1 from job
    where job.device = share.device and job.project = share.project and job.state = 'queued'
        and job.held_by is null
) then 1 else 0 end;

-- name: member_share_repair
-- scans: in maintenance
-- Like share_repair.
update member_share set has_work = 1 - has_work
where has_work <> case when exists (
    select 1 from job
    where job.device = member_share.device and job.project = member_share.project
        and job.account = member_share.account and job.state = 'queued' and job.held_by is null
) then 1 else 0 end;

-- name: share_rebase
-- scans: in maintenance
-- Scales the usage of all projects by one factor, which keeps their order.
update share set vtime = vtime * :factor;

-- name: member_share_rebase
-- scans: in maintenance
-- Like share_rebase.
update member_share set vtime = vtime * :factor;

-- name: epoch_get
select at from epoch where id = 1;

-- name: epoch_put
insert into epoch (id, at) values (1, :at) on conflict (id) do update set at = excluded.at;
