-- Shares of jobs. Statements use primary or unique keys unless they name an index.

-- name: job_share_add
-- Adds nothing if the owner has as many shares as allowed; index job_share_by_owner.
insert into job_share (id, job, owner, account, digest, created_at, expires_at)
select
    :id, job.id, job.account, cast(:account as text), cast(:digest as {blob}), :now,
    cast(:expires_at as bigint)
from job
where job.id = :job and job.account = :owner and :maximum > (
    select count(*) from (
        select 1 from job_share as other where other.owner = :owner limit :maximum
    ) as counted
)
on conflict (job, account) do nothing
returning id;

-- name: job_share_get
select {job_share} where job_share.id = :id and job_share.owner = :owner;

-- name: job_share_of_account
select {job_share} where job_share.job = :job and job_share.account = :account;

-- name: job_share_list
-- Oldest first; index job_share_by_owner.
select {job_share}
where job_share.owner = :owner and (cast(:job as text) is null or job_share.job = :job)
order by job_share.id;

-- name: job_share_by_digest
-- The job of a valid link, unless its owner is disabled.
select {shown_job} from job_share
inner join job on job.id = job_share.job
inner join account on account.id = job_share.owner
where job_share.digest = :digest and job_share.expires_at > :now and account.disabled_at is null;

-- name: job_share_remove
delete from job_share where id = :id and owner = :owner;

-- name: job_share_due
-- Index job_share_expiring.
select 1 from job_share where expires_at <= :now limit 1;

-- name: job_share_expire
-- Index job_share_expiring.
delete from job_share where expires_at <= :now;
