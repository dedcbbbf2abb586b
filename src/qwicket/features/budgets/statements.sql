-- Budgets. Statements use the primary key or the unique key (project, device, unit, period), of members
-- (project, account, device, unit, period), unless they name an index.

-- name: budget_put
-- A budget that is set again keeps what was used.
insert into budget (id, project, device, unit, period, maximum, used, begun_at, created_at)
values (:id, :project, :device, :unit, :period, :maximum, 0, :begun_at, :now)
on conflict (project, device, unit, period) do update set maximum = excluded.maximum
returning {budget};

-- name: budget_count
-- Those that the submission of one account may read.
select
    (select count(*) from budget where project = :project)
    + (select count(*) from member_budget where project = :project and account in ('', :account));

-- name: budget_maximum
select maximum from budget
where project = :project and device = :device and unit = :unit and period = :period;

-- name: budget_list
-- scans: few rows
-- Reads all budgets, which are few.
select {budget}, project.name from budget
inner join project on project.id = budget.project
order by project.name, budget.device, budget.unit, budget.period;

-- name: budget_list_of_account
-- sorts: few rows
-- Those of its projects and of the projects above; a project has few budgets.
select {budget}, project.name from budget
inner join project on project.id = budget.project
where budget.project in ({of_account})
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
where budget.project in ({charged}) and budget.device in ('', :device);

-- name: budget_delete
-- Of one project, or of any; so member_budget_delete.
delete from budget
where id = :id and (cast(:project as text) is null or project = :project);

-- name: budget_reserve
update budget set used = :used, begun_at = :begun_at where id = :id;

-- name: budget_settle
-- Changes nothing if the budget was removed, or if its next period has begun. The sum stops before it
-- overflows 64 bits, which it can only reach if a lab reports absurd times.
update budget set used = case when used < {max_sum} then used + :amount else used end
where id = :id and begun_at = :begun_at;

-- name: member_budget_put
-- A budget that is set again keeps what was used. `account` is empty for each member.
insert into member_budget (id, project, account, device, unit, period, maximum, created_at)
values (:id, :project, :account, :device, :unit, :period, :maximum, :now)
on conflict (project, account, device, unit, period) do update set maximum = excluded.maximum
returning id;

-- name: member_budget_get
-- scans: few rows
-- sorts: few rows
-- One budget, those of a page of projects, given as a JSON list, or all, with the use of the member
-- who has used the most; there are few budgets.
select {member_budget}, project.name from member_budget as limits
inner join project on project.id = limits.project
left join account on account.id = limits.account
left join member_budget_use as used on used.budget = limits.id
    and used.account = (
        select most.account from member_budget_use as most
        where most.budget = limits.id
        order by most.begun_at desc, most.used desc
        limit 1
    )
where (cast(:id as text) = '' or limits.id = :id)
    and (cast(:jobs as text) is null or limits.project in (select asked.value from {each_job}))
order by project.name, account.name, limits.device, limits.unit, limits.period;

-- name: member_budget_list_of_account
-- sorts: few rows
-- Those that count the jobs of an account, with its use; a budget of its own replaces the one of each
-- member.
select {member_budget}, project.name from member_budget as limits
inner join project on project.id = limits.project
left join account on account.id = limits.account
left join member_budget_use as used on used.budget = limits.id and used.account = :account
where limits.project in ({of_account}) and limits.account in ('', :account) and {is_own_budget}
order by project.name, limits.device, limits.unit, limits.period;

-- name: member_budget_list_of_job
-- Like member_budget_list_of_account, of one project and device.
select {member_budget}, project.name from member_budget as limits
inner join project on project.id = limits.project
left join account on account.id = limits.account
left join member_budget_use as used on used.budget = limits.id and used.account = :account
where limits.project in ({charged}) and limits.account in ('', :account)
    and limits.device in ('', :device) and {is_own_budget};

-- name: member_budget_delete
delete from member_budget
where id = :id and (cast(:project as text) is null or project = :project);

-- name: member_budget_reserve
insert into member_budget_use (budget, account, used, begun_at)
values (:id, :account, :used, :begun_at)
on conflict (budget, account) do update set used = excluded.used, begun_at = excluded.begun_at;

-- name: member_budget_settle
-- Like budget_settle.
update member_budget_use set used = case when used < {max_sum} then used + :amount else used end
where budget = :id and account = :account and begun_at = :begun_at;
