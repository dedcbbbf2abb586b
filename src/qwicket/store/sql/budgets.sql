-- Budgets. Statements use the primary key or the unique key (project, device, unit, period), unless
-- they name an index.

-- name: budget_put
-- A budget that is set again keeps what was used.
insert into budget (id, project, device, unit, period, maximum, used, begun_at, created_at)
values (:id, :project, :device, :unit, :period, :maximum, 0, :begun_at, :now)
on conflict (project, device, unit, period) do update set maximum = excluded.maximum
returning {budget};

-- name: budget_count
select count(*) from budget where project = :project;

-- name: budget_list
-- scans: few rows
-- Reads all budgets, which are few.
select {budget}, project.name from budget
inner join project on project.id = budget.project
order by project.name, budget.device, budget.unit, budget.period;

-- name: budget_list_of_account
-- sorts: few rows
-- A project has few budgets.
select {budget}, project.name from member
inner join project on project.id = member.project
inner join budget on budget.project = project.id
where member.account = :account
order by project.name, budget.device, budget.unit, budget.period;

-- name: budget_list_of_job
select {budget}, project.name from budget
inner join project on project.id = budget.project
where budget.project = :project and budget.device in ('', :device);

-- name: budget_delete
delete from budget where id = :id;

-- name: budget_reserve
update budget set used = :used, begun_at = :begun_at where id = :id;

-- name: budget_settle
-- Changes nothing if the budget was removed, or if its next period has begun. The sum stops before it
-- overflows 64 bits, which it can only reach if a lab reports absurd times.
update budget set used = case when used < {max_sum} then used + :amount else used end
where id = :id and begun_at = :begun_at;

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
-- What a project's jobs that ended in a time have used, by day; primary key.
select
    day, cast(sum(jobs) as bigint), cast(sum(shots) as bigint), cast(sum(us) as bigint),
    cast(sum(cost) as bigint)
from daily_use
where project = :project and day >= :since and day < :until
group by day;
