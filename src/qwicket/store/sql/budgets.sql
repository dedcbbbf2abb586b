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
-- Reads all budgets, which are few.
select {budget}, project.name from budget
inner join project on project.id = budget.project
order by project.name, budget.device, budget.unit, budget.period;

-- name: budget_list_of_account
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
update budget set used = case when used < 1000000000000000000 then used + :amount else used end
where id = :id and begun_at = :begun_at;

-- name: job_set_bill
update job set bill = :bill, cost = :cost where id = :job;

-- name: use_keep
-- Before a job is deleted: what it has used still counts for its project.
insert into deleted_use (project, device, day, jobs, shots, us, cost)
select
    project, device, ended_at - ended_at % 86400000, 1, {used_shots}, {used_us}, {used_cost}
from job
where id = :job and ended_at is not null and {has_used}
on conflict (project, device, day) do update set
    jobs = deleted_use.jobs + 1, shots = deleted_use.shots + excluded.shots,
    us = deleted_use.us + excluded.us, cost = deleted_use.cost + excluded.cost;

-- name: use_list
-- What the jobs that ended in a time have used; indexes job_ended and deleted_use_by_day.
select
    project.name, found.device, cast(sum(found.jobs) as bigint), cast(sum(found.shots) as bigint),
    cast(sum(found.us) as bigint), cast(sum(found.cost) as bigint)
from (
    select
        project, device, count(*) as jobs, sum({used_shots}) as shots, sum({used_us}) as us,
        sum({used_cost}) as cost
    from job
    where ended_at >= :since and ended_at < :until and {has_used}
    group by project, device
    union all
    select project, device, jobs, shots, us, cost from deleted_use
    where day >= :since and day < :until
) as found
inner join project on project.id = found.project
group by project.name, found.device
order by project.name, found.device;

-- name: use_by_day
-- What a project's jobs that ended in a time have used, by day; indexes job_ended and the primary
-- key of deleted_use.
select
    found.day, cast(sum(found.jobs) as bigint), cast(sum(found.shots) as bigint),
    cast(sum(found.us) as bigint), cast(sum(found.cost) as bigint)
from (
    select
        ended_at - ended_at % 86400000 as day, count(*) as jobs, sum({used_shots}) as shots,
        sum({used_us}) as us, sum({used_cost}) as cost
    from job
    where ended_at >= :since and ended_at < :until and project = :project and {has_used}
    group by 1
    union all
    select day, jobs, shots, us, cost from deleted_use
    where project = :project and day >= :since and day < :until
) as found
group by found.day;
