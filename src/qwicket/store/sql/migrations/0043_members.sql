-- What each member of a project has used of a device, decayed as in `share`. `has_work` is 1 while
-- jobs of the member wait.
create table member_share (
    device text not null,
    project text not null references project (id),
    account text not null references account (id),
    vtime double precision not null,
    has_work integer not null check (has_work in (0, 1)),
    primary key (device, project, account)
);
create index member_share_next on member_share (device, project, vtime, account)
where has_work = 1;
insert into member_share (device, project, account, vtime, has_work)
select device, project, account, 0, 1 from job
where state = 'queued' and held_by is null
group by device, project, account;
create index job_to_claim_of_member on job (device, project, account, priority desc, seq)
where state = 'queued' and held_by is null;

-- Serves counts of a project's waiting jobs and of a member's.
drop index job_waiting;
create index job_waiting on job (project, account) where state in ('draft', 'queued');

-- Weight of a member in the fair share of its project.
alter table member add column shares integer not null default 1;
-- What a member may do in its project: lead, member or reader. Accounts lead their own projects.
alter table member add column role text not null default 'member';
update member set role = 'lead'
where exists (
    select 1 from account inner join project on project.name = account.name
    where account.id = member.account and project.id = member.project
);

-- What a member of a project may use; `account` is empty for each member without a budget of their own
-- for the same. `member_budget_use` is what a member has used or reserved, like `budget.used`.
create table member_budget (
    id text primary key not null,
    project text not null references project (id),
    account text not null,
    device text not null,
    unit text not null,
    period text not null,
    maximum bigint not null,
    created_at bigint not null,
    unique (project, account, device, unit, period)
);
create table member_budget_use (
    budget text not null references member_budget (id) on delete cascade,
    account text not null references account (id),
    used bigint not null,
    begun_at bigint not null,
    primary key (budget, account)
);
