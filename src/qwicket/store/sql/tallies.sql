-- Numbers of jobs: by state, and by name and tags.

-- name: job_tally_of_all_dialects
-- sorts: few rows
-- Like job_tally, for all dialects; index job_by_account.
select {shown_state}, count(*) from job
where account = :account and created_at >= :since and created_at <= :until and {list_filter}
group by 1;

-- name: job_tally_list
-- sorts: few rows
-- Of the jobs that job_list returns up to the limit; index job_by_account.
select state, count(*) from (
    select {shown_state} as state from job
    where account = :account and seq > :after and seq < :before and {list_filter}
    order by seq desc
    limit :limit
) as found
group by 1;

-- name: job_tally_list_not_ended
-- sorts: few rows
-- Of the jobs that job_list_not_ended returns up to the limit; index job_not_ended.
select state, count(*) from (
    select {shown_state} as state from job
    {only_sqlite}indexed by job_not_ended
    where {not_ended} and account = :account and seq > :after and seq < :before and {list_filter}
    order by seq desc
    limit :limit
) as found
group by 1;

-- name: job_tally_list_not_completed
-- sorts: few rows
-- Of the jobs that job_list_not_completed returns up to the limit; index job_not_completed.
select state, count(*) from (
    select {shown_state} as state from job
    {only_sqlite}indexed by job_not_completed
    where {not_completed} and account = :account and seq > :after and seq < :before and {list_filter}
    order by seq desc
    limit :limit
) as found
group by 1;

-- name: job_tally_list_withheld
-- sorts: few rows
-- Of the jobs that job_list_withheld returns up to the limit; index job_withheld.
select state, count(*) from (
    select {shown_state} as state from job
    {only_sqlite}indexed by job_withheld
    where {is_withheld} and account = :account and seq > :after and seq < :before and {list_filter}
    order by seq desc
    limit :limit
) as found
group by 1;

-- name: job_tally_list_labelled
-- sorts: few rows
-- Of the jobs that job_list_labelled returns up to the limit; primary key of job_label.
select state, count(*) from (
    select {shown_state} as state from job_label cross join job
    where
        job_label.label = cast(:label as text) and job_label.account = :account
        and job_label.seq > :after and job_label.seq < :before and job.seq = job_label.seq
        and {list_filter}
    order by job_label.seq desc
    limit :limit
) as found
group by 1;

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
