-- What jobs use and cost.

-- name: job_set_bill
update job set bill = :bill, cost = :cost where id = :job;

-- name: use_add
-- sorts: few rows
-- What ended jobs have used, into the sums of their days. These outlive the jobs. They stop at 30
-- years a day, so that the sums of thousands of them fit into 64 bits, even if a lab reports absurd
-- times.
insert into account_use (project, device, day, account, jobs, shots, us, cost)
select
    project, device, ended_at - ended_at % 86400000, account,
    count(*), cast(sum(used_shots) as bigint),
    cast(sum({least}(used_us, {max_of_day})) as bigint),
    cast(sum({least}(coalesce(cost, 0), {max_of_day})) as bigint)
from job
where id in (select asked.value from {each_job}) and (used_shots > 0 or used_us > 0)
group by project, device, ended_at - ended_at % 86400000, account
on conflict (project, device, day, account) do update set
    jobs = account_use.jobs + excluded.jobs, shots = account_use.shots + excluded.shots,
    us = case when account_use.us < {max_of_day} then account_use.us + excluded.us
        else account_use.us end,
    cost = case when account_use.cost < {max_of_day} then account_use.cost + excluded.cost
        else account_use.cost end;

-- name: slurm_use_add
-- sorts: few rows
-- The same for jobs whose clients named a job or an account of Slurm, as parts of the sums above.
-- Clients choose these names freely, and the sums outlive the jobs. So after 1,000 names in a day of
-- an account, device and project, no others are added.
insert into slurm_use (
    project, device, day, account, slurm_account, slurm_job, jobs, shots, us, cost
)
select
    project, device, ended_at - ended_at % 86400000, account,
    coalesce(slurm_account, ''), coalesce(slurm_job, ''),
    count(*), cast(sum(used_shots) as bigint),
    cast(sum({least}(used_us, {max_of_day})) as bigint),
    cast(sum({least}(coalesce(cost, 0), {max_of_day})) as bigint)
from job
where id in (select asked.value from {each_job}) and (used_shots > 0 or used_us > 0)
    and 1000 > (
        select count(*) from (
            select 1 from slurm_use as other
            where other.project = job.project and other.device = job.device
                and other.day = job.ended_at - job.ended_at % 86400000
                and other.account = job.account and not (
                    other.slurm_account = coalesce(job.slurm_account, '')
                    and other.slurm_job = coalesce(job.slurm_job, '')
                )
            limit 1000
        ) as counted
    )
group by project, device, ended_at - ended_at % 86400000, account,
    coalesce(slurm_account, ''), coalesce(slurm_job, '')
on conflict (project, device, day, account, slurm_account, slurm_job) do update set
    jobs = slurm_use.jobs + excluded.jobs, shots = slurm_use.shots + excluded.shots,
    us = case when slurm_use.us < {max_of_day} then slurm_use.us + excluded.us
        else slurm_use.us end,
    cost = case when slurm_use.cost < {max_of_day} then slurm_use.cost + excluded.cost
        else slurm_use.cost end;

-- name: use_list
-- sorts: few rows
-- What the jobs that ended in a time have used, of one project with those below or of all, by what is
-- asked for; the others are null. An account is empty where it was not counted yet, a name of Slurm where clients
-- gave none. Indexes daily_use_by_day, account_use_by_day and slurm_use_by_day.
select
    case when cast(:by_project as integer) = 1 then project.name end as of_project,
    case when cast(:by_account as integer) = 1 then coalesce(account.name, '') end as of_account,
    case when cast(:by_device as integer) = 1 then used.device end as on_device,
    case when cast(:by_day as integer) = 1 then used.day end as on_day,
    case when cast(:by_slurm_account as integer) = 1 then used.slurm_account end as in_slurm_account,
    case when cast(:by_slurm_job as integer) = 1 then used.slurm_job end as in_slurm_job,
    cast(sum(used.jobs) as bigint), cast(sum(used.shots) as bigint),
    cast(sum(used.us) as bigint), cast(sum(used.cost) as bigint)
from {use_with_slurm} as used
inner join project on project.id = used.project
left join account on account.id = used.account
where used.day >= :since and used.day < :until
    and (
        cast(:project as text) is null or used.project = :project
        or used.project in (
            select project_above.project from project_above where above = :project
        )
    )
group by of_project, of_account, on_device, on_day, in_slurm_account, in_slurm_job
having sum(used.jobs) > 0
limit :limit;

-- name: use_by_day
-- sorts: few rows
-- What the jobs of a project, and of those below it, that ended in a time have used, by day, on one
-- device or on all, of one account or of all; primary keys, and index project_below.
select
    day, cast(sum(jobs) as bigint), cast(sum(shots) as bigint), cast(sum(us) as bigint),
    cast(sum(cost) as bigint)
from {all_use} as used
where
    project in (
        select cast(:project as text) union all
        select project_above.project from project_above where above = :project
    )
    and day >= :since and day < :until
    and (cast(:device as text) = '' or device = :device)
    and (cast(:account as text) = '' or account = :account)
group by day;

-- name: use_of_projects
-- sorts: few rows
-- What the jobs of a page of projects, given as a JSON list, have used since a day; primary keys.
select project, cast(sum(jobs) as bigint) from {all_use} as used
where project in (select asked.value from {each_job}) and day >= :since
group by project;
