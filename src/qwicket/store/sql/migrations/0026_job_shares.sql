-- Who else may read a job: another account, or whoever has the secret of a link until it expires.
create table job_share (
    id text primary key not null,
    job text not null references job (id) on delete cascade,
    owner text not null references account (id),
    account text references account (id),
    digest {blob} unique,
    created_at bigint not null,
    expires_at bigint,
    unique (job, account)
);
create index job_share_by_owner on job_share (owner, id);
create index job_share_expiring on job_share (expires_at) where expires_at is not null;
