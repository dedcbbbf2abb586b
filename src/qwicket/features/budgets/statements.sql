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

-- name: budget_list_of_projects
-- sorts: few rows
-- Of a page of projects, given as a JSON list.
select {budget}, project.name from budget
inner join project on project.id = budget.project
where budget.project in (select asked.value from {each_job})
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
