-- Groups of jobs.

-- name: group_add
insert into "group" (
    id, account, project, dialect, device, name, state, jobs_limit, created_at, expires_at, body
)
values (
    :id, :account, :project, :dialect, :device, :name, 'open', :jobs_limit, :now, :expires_at, :body
)
returning {group};

-- name: group_get
select {group} from "group" where id = :id;

-- name: group_visible
-- A group that this account may read: its own, or one of its projects'. Primary keys only.
select {group} from "group"
where id = :id
    and (
        account = :account
        or project in (select project from member where member.account = :account)
    );

-- name: group_list
-- Newest first below a `seq`; index group_by_account.
select {group} from "group"
where account = :account and dialect = :dialect and seq < :before and (device is null or {allowed})
order by seq desc
limit :limit;

-- name: group_beyond
-- A row if an account has more than :maximum groups in a dialect; index group_by_account.
select 1 from "group" where account = :account and dialect = :dialect
order by seq desc limit 1 offset :maximum;

-- name: group_oldest_closed
-- Index group_by_account.
select id from "group"
where account = :account and dialect = :dialect and (state = 'closed' or expires_at <= :now)
order by seq
limit 1;

-- name: group_close
update "group" set state = 'closed', closed_at = :now where id = :id and state = 'open'
returning {group};

-- name: group_annotate
update "group" set body = :body where id = :id returning {group};

-- name: group_delete
delete from "group" where id = :id returning project, account, cast({group_bytes} as bigint);

-- name: group_job_count
-- Counts up to the limit; index job_by_group.
select count(*) from (select 1 from job where "group" = :id limit :limit) as waiting;

-- name: group_unfinished
-- Index job_by_group.
select id, seq from job
where "group" = :id and seq > :after and state in ('draft', 'queued', 'running', 'uncertain')
    and {allowed}
order by seq
limit :limit;

-- name: group_use
-- Number, run time, first and last start, last end, and costs of a group's jobs; index job_by_group.
select
    count(*),
    coalesce(sum(case when {shown_end} is null then 1 else 0 end), 0),
    cast(coalesce(sum(case when {shown_end} is not null and started_at is not null
                      then {shown_end} - started_at else 0 end), 0) as bigint),
    min(started_at),
    max(started_at),
    max({shown_end}),
    cast(coalesce(sum(case when {shown_end} is not null then cost end), 0) as bigint),
    cast(coalesce(sum(case when {shown_end} is null then cost end), 0) as bigint)
from job where "group" = :id and {allowed};

-- name: group_tally
-- sorts: few rows
-- Number of jobs of a group by state; index job_by_group.
select {shown_state}, count(*) from job where "group" = :id and {allowed} group by 1;
