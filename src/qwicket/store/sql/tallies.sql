-- Numbers of jobs by name and tags.

-- name: job_recent_labels
-- sorts: few rows
-- Names and tags of an account's newest jobs, and how many have them; index job_by_account.
select name, tags, count(*) from (
    select name, tags from job
    where account = :account and {allowed}
    order by seq desc
    limit :limit
) as found
where name <> '' or tags <> '[]'
group by 1, 2;

-- name: job_tally_unfinished
-- sorts: few rows
-- scans: few rows
-- Of the oldest jobs of all accounts that have not ended, up to the limit; index job_not_ended.
select state, count(*), min(created_at) from (
    select state, created_at from job
    {only_sqlite}indexed by job_not_ended
    where {not_ended}
    order by seq
    limit :limit
) as found
group by state;

-- name: job_tally_ended
-- sorts: few rows
-- Of the jobs of all accounts that have ended since a time, by hour; index job_ended.
select state, (ended_at - :since) / 3600000, count(*) from (
    select state, ended_at from job where ended_at is not null and ended_at >= :since
    order by ended_at desc
    limit :limit
) as found
group by state, 2;

-- name: job_oldest_waiting
-- sorts: few rows
-- scans: few rows
-- Of the oldest jobs of all accounts that have not ended, up to the limit, by device; index
-- job_not_ended.
select device, min(queued_at) from (
    select device, state, held_by, queued_at from job
    {only_sqlite}indexed by job_not_ended
    where {not_ended}
    order by seq
    limit :limit
) as found
where state = 'queued' and held_by is null
group by device;

-- name: job_tally_failed
-- sorts: few rows
-- Of the jobs of all accounts that have ended since a time, those that failed by the code of their
-- error; index job_ended.
select device, coalesce(error_code, ''), count(*) from (
    select device, state, error_code from job where ended_at is not null and ended_at >= :since
    order by ended_at desc
    limit :limit
) as found
where state = 'failed'
group by device, 2
order by 3 desc, 1, 2;
