-- What jobs use and cost.

-- name: job_set_bill
update job set bill = :bill, cost = :cost where id = :job;

-- name: use_add
-- sorts: few rows
-- What ended jobs have used, into the sums of their days. These outlive the jobs. They stop at 30
-- years a day, so that the sums of thousands of them fit into 64 bits, even if a lab reports absurd
-- times.
insert into daily_use (project, device, day, jobs, shots, us, cost)
select
    project, device, ended_at - ended_at % 86400000, count(*), cast(sum(used_shots) as bigint),
    cast(sum({least}(used_us, {max_of_day})) as bigint),
    cast(sum({least}(coalesce(cost, 0), {max_of_day})) as bigint)
from job
where id in (select asked.value from {each_job}) and (used_shots > 0 or used_us > 0)
group by project, device, ended_at - ended_at % 86400000
on conflict (project, device, day) do update set
    jobs = daily_use.jobs + excluded.jobs, shots = daily_use.shots + excluded.shots,
    us = case when daily_use.us < {max_of_day} then daily_use.us + excluded.us
        else daily_use.us end,
    cost = case when daily_use.cost < {max_of_day} then daily_use.cost + excluded.cost
        else daily_use.cost end;

-- name: use_list
-- sorts: few rows
-- What the jobs that ended in a time have used; index daily_use_by_day.
select
    project.name, daily_use.device, cast(sum(jobs) as bigint), cast(sum(shots) as bigint),
    cast(sum(us) as bigint), cast(sum(cost) as bigint)
from daily_use
inner join project on project.id = daily_use.project
where day >= :since and day < :until
group by project.name, daily_use.device
order by project.name, daily_use.device;

-- name: use_by_day
-- sorts: few rows
-- What a project's jobs that ended in a time have used, by day, on one device or on all; primary
-- key.
select
    day, cast(sum(jobs) as bigint), cast(sum(shots) as bigint), cast(sum(us) as bigint),
    cast(sum(cost) as bigint)
from daily_use
where
    project = :project and day >= :since and day < :until
    and (cast(:device as text) = '' or device = :device)
group by day;

-- name: use_of_projects
-- What the jobs of a page of projects, given as a JSON list, have used since a day; primary key.
select project, cast(sum(jobs) as bigint) from daily_use
where project in (select asked.value from {each_job}) and day >= :since
group by project;
