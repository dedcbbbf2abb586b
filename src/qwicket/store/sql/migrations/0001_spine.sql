-- The core tables: accounts, devices, jobs and what belongs to one job.
-- All times are Unix milliseconds (UTC). Lists inside a column are JSON text.

create table account (
    id text primary key,
    name text not null unique,
    role text not null check (role in ('admin', 'member')),
    email text unique,
    password_hash text,
    created_at bigint not null,
    disabled_at bigint
);

create table project (
    id text primary key,
    name text not null unique,
    shares integer not null default 1 check (shares > 0),
    created_at bigint not null
);

create table member (
    account text not null references account (id),
    project text not null references project (id),
    primary key (account, project)
);

-- Only the SHA-256 of a token's secret is stored.
create table token (
    id text primary key,
    account text not null references account (id),
    project text not null references project (id),
    digest {blob} not null unique,
    scopes text not null,
    devices text not null,
    created_at bigint not null,
    expires_at bigint,
    revoked_at bigint
);
create index token_by_account on token (account, created_at);

-- Files only seed this table. All servers and agents read it, so that they agree.
create table device (
    name text primary key,
    position integer not null,
    body text not null,
    origin text not null check (origin in ('builtin', 'file', 'agent'))
);

create table device_state (
    device text primary key references device (name),
    is_on integer not null check (is_on in (0, 1)),
    reason text not null,
    until_at bigint,
    since_at bigint not null
);

-- One row per process that claims jobs. `beat` is its heartbeat.
create table runner (
    id text primary key,
    kind text not null check (kind in ('server', 'agent')),
    beat bigint not null,
    started_at bigint not null
);

-- Narrow: no status poll, claim or list touches any other table.
create table job (
    seq {serial} primary key {autoincrement},
    id text not null unique,
    account text not null references account (id),
    project text not null references project (id),
    device text not null,
    door text not null,
    "group" text,
    state text not null check (state in {states}),
    version integer not null,
    name text not null,
    tags text not null,
    shots bigint not null,
    n_circuits integer not null,
    n_qubits integer not null,
    n_ops_1q bigint not null,
    n_ops_2q bigint not null,
    est_bytes bigint not null,
    est_seconds double precision not null,
    priority integer not null,
    attempts integer not null,
    calibration text,
    change bigint not null,
    created_at bigint not null,
    queued_at bigint,
    started_at bigint,
    ended_at bigint,
    expires_at bigint,
    error_code text,
    error_text text
);
create index job_by_account on job (account, seq);
create index job_by_door on job (account, door, seq);
create index job_by_change on job (account, change);
create index job_to_claim on job (device, priority desc, seq) where state = 'queued';
create index job_waiting on job (project) where state in ('draft', 'queued');

create table program (
    job text primary key references job (id) on delete cascade,
    format text not null,
    source {blob} not null,
    inputs text not null,
    circuits {blob} not null,
    options {blob} not null,
    reader_version integer not null
);

-- What only the vendor's client needs back, byte for byte.
create table job_wire (
    job text primary key references job (id) on delete cascade,
    body {blob} not null
);

-- The row outlives the right to run (runner null): the fence must never fall.
create table lease (
    job text primary key references job (id) on delete cascade,
    fence bigint not null,
    nonce text,
    runner text
);
create index lease_by_runner on lease (runner) where runner is not null;

-- Small bodies stand here; a large one has body null and lies in `blob` under its sha256.
create table outcome (
    job text not null references job (id) on delete cascade,
    part integer not null,
    body {blob},
    sha256 {blob},
    error_code text,
    error_text text,
    primary key (job, part)
);

create table blob (
    sha256 {blob} not null,
    part integer not null,
    bytes {blob} not null,
    primary key (sha256, part)
);

-- What is not the happy path: releases, cancels, refusals, deaths.
create table job_event (
    job text not null references job (id) on delete cascade,
    version integer not null,
    at bigint not null,
    "from" text not null,
    "to" text not null,
    actor text not null,
    reason text not null,
    primary key (job, version)
);

create table idempotency (
    account text not null references account (id),
    door text not null,
    key text not null,
    digest {blob} not null,
    job text not null,
    made_at bigint not null,
    primary key (account, door, key)
);
