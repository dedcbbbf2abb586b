-- The queue: fair shares, duties, groups, records, and jobs forwarded to other clouds.

alter table runner add column slots integer not null default 0;

-- What each project has used of a device, decayed (see model/shares.py). `has_work` is 1 while
-- jobs of the project wait.
create table share (
    device text not null,
    project text not null references project (id),
    vtime double precision not null,
    has_work integer not null check (has_work in (0, 1)),
    primary key (device, project)
);
create index share_next on share (device, vtime, project) where has_work = 1;

-- One row: the time from which decay is computed.
create table epoch (
    id integer primary key check (id = 1),
    at bigint not null
);

drop index job_to_claim;
create index job_to_claim on job (device, project, priority desc, seq) where state = 'queued';
create index member_by_project on member (project);
create index job_begun on job (device, seq) where state in ('running', 'cancelling', 'uncertain');
create index job_completed on job (device, ended_at) where state = 'completed';
create index job_draft on job (expires_at) where state = 'draft';
create index job_ended on job (ended_at) where ended_at is not null;

-- Periodic work that one server does for all; free if its holder is no longer a runner.
create table duty (
    name text primary key,
    holder text not null,
    fence bigint not null
);

create table "group" (
    seq {serial} primary key {autoincrement},
    id text not null unique,
    account text not null references account (id),
    project text not null references project (id),
    door text not null,
    device text,
    name text not null,
    state text not null check (state in ('open', 'closed')),
    jobs_limit integer,
    created_at bigint not null,
    expires_at bigint,
    closed_at bigint,
    body {blob} not null
);
create index group_by_account on "group" (account, door, seq);
create index job_by_group on job ("group", seq) where "group" is not null;

-- Documents that clients register; they never enter the queue.
create table record (
    seq {serial} primary key {autoincrement},
    id text not null unique,
    account text not null references account (id),
    door text not null,
    key text not null,
    body {blob} not null,
    created_at bigint not null,
    updated_at bigint not null,
    unique (account, door, key)
);
create index record_by_account on record (account, door, seq);

-- A job on its way to another cloud. The intent is written before the vendor is called; the vendor
-- keeps `marker` in the job's own metadata, so that a crash in between can be reconciled.
create table forward (
    job text primary key references job (id) on delete cascade,
    intent_at bigint not null,
    marker text not null,
    vendor_job_id text,
    sent_at bigint
);

create index outcome_by_blob on outcome (sha256) where body is null;
create index idempotency_by_age on idempotency (made_at);

-- Jobs that wait already have work to share.
insert into share (device, project, vtime, has_work)
select device, project, 0, 1 from job where state = 'queued' group by device, project;
