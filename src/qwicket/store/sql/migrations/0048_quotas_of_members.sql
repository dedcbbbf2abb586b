-- How many jobs of each project wait, and of each account for it; `account` is empty for all of the
-- project. A submission reads two numbers in place of counting jobs. Triggers keep them, so that a
-- server of the former version beside a new one does so, too.
create table waiting_jobs (
    project text not null references project (id),
    account text not null,
    number bigint not null,
    primary key (project, account)
)
{only_sqlite}without rowid
;

{only_sqlite}create trigger job_waits_added after insert on job
{only_sqlite}when new.state in ('draft', 'queued')
{only_sqlite}begin
{only_sqlite}insert into waiting_jobs (project, account, number)
{only_sqlite}values (new.project, '', 1), (new.project, new.account, 1)
{only_sqlite}on conflict (project, account) do update set number = waiting_jobs.number + 1;
{only_sqlite}end;
{only_sqlite}create trigger job_waits_again after update of state on job
{only_sqlite}when new.state in ('draft', 'queued') and old.state not in ('draft', 'queued')
{only_sqlite}begin
{only_sqlite}insert into waiting_jobs (project, account, number)
{only_sqlite}values (new.project, '', 1), (new.project, new.account, 1)
{only_sqlite}on conflict (project, account) do update set number = waiting_jobs.number + 1;
{only_sqlite}end;
{only_sqlite}create trigger job_waits_no_more after update of state on job
{only_sqlite}when old.state in ('draft', 'queued') and new.state not in ('draft', 'queued')
{only_sqlite}begin
{only_sqlite}update waiting_jobs set number = number - 1
{only_sqlite}where project = old.project and account in ('', old.account);
{only_sqlite}end;
{only_sqlite}create trigger job_waits_removed after delete on job
{only_sqlite}when old.state in ('draft', 'queued')
{only_sqlite}begin
{only_sqlite}update waiting_jobs set number = number - 1
{only_sqlite}where project = old.project and account in ('', old.account);
{only_sqlite}end;
{only_postgres}create function qwicket_job_waits() returns trigger language plpgsql as $$
{only_postgres}begin
{only_postgres}insert into waiting_jobs (project, account, number)
{only_postgres}values (new.project, '', 1), (new.project, new.account, 1)
{only_postgres}on conflict (project, account) do update set number = waiting_jobs.number + 1;
{only_postgres}return null;
{only_postgres}end
{only_postgres}$$;
{only_postgres}create function qwicket_job_waits_no_more() returns trigger language plpgsql
{only_postgres}set enable_seqscan = off as $$
{only_postgres}begin
{only_postgres}update waiting_jobs set number = number - 1
{only_postgres}where project = old.project and account in ('', old.account);
{only_postgres}return null;
{only_postgres}end
{only_postgres}$$;
{only_postgres}create trigger job_waits_added after insert on job
{only_postgres}for each row when (new.state in ('draft', 'queued')) execute function qwicket_job_waits();
{only_postgres}create trigger job_waits_again after update of state on job
{only_postgres}for each row when (new.state in ('draft', 'queued') and old.state not in ('draft', 'queued'))
{only_postgres}execute function qwicket_job_waits();
{only_postgres}create trigger job_waits_no_more after update of state on job
{only_postgres}for each row when (old.state in ('draft', 'queued') and new.state not in ('draft', 'queued'))
{only_postgres}execute function qwicket_job_waits_no_more();
{only_postgres}create trigger job_waits_removed after delete on job
{only_postgres}for each row when (old.state in ('draft', 'queued'))
{only_postgres}execute function qwicket_job_waits_no_more();

insert into waiting_jobs (project, account, number)
select project, '', count(*) from job where state in ('draft', 'queued') group by project
union all
select project, account, count(*) from job where state in ('draft', 'queued')
group by project, account;

-- What each account stores for each project, as `project.stored_bytes`. What servers of the former
-- version add or delete beside a new one is counted when one starts.
create table member_bytes (
    project text not null references project (id),
    account text not null references account (id),
    bytes bigint not null,
    primary key (project, account)
)
{only_sqlite}without rowid
;
insert into member_bytes (project, account, bytes)
select project, account, cast(sum(bytes) as bigint) from (
    select project, account, 1000 + {bytes:job.name} + {bytes:job.tags}
        + coalesce((select length(source) + length(circuits) + length(options) from program
            where program.job = job.id), 0)
        + coalesce((select length(body) from job_vendor_fields
            where job_vendor_fields.job = job.id), 0)
        + coalesce((select length(response) from forward where forward.job = job.id), 0)
        + 200 * (select count(*) from job_event where job_event.job = job.id)
        + coalesce((select sum(coalesce(length(outcome.body), (
                select sum(length(blob.bytes)) from blob where blob.sha256 = outcome.sha256
            ), {bytes:outcome.error_text}, 0))
            from outcome where outcome.job = job.id), 0) as bytes
    from job
    union all
    select project, account, 1000 + {bytes:"group".name} + length("group".body) as bytes
    from "group"
) as each_one
group by project, account;
