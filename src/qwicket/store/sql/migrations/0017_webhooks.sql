-- Webhooks: addresses that receive events when jobs change, and the events that are to be sent to them.

create table webhook (
    id text primary key,
    account text not null references account (id),
    project text not null references project (id),
    url text not null,
    events text not null,
    device text,
    secret {blob} not null,
    former_secret {blob},
    former_until bigint,
    created_at bigint not null,
    delivered_at bigint,
    failing_since bigint,
    last_error text,
    disabled_at bigint,
    disabled_reason text
);
create index webhook_by_account on webhook (account, created_at, id);
create index webhook_by_project on webhook (project);

-- The outbox, written in the commit that changes the job. A job may be deleted before its events.
create table webhook_event (
    seq {serial} primary key {autoincrement},
    webhook text not null references webhook (id) on delete cascade,
    job text not null,
    version integer not null,
    body text not null,
    attempts integer not null,
    due_at bigint not null
);
create index webhook_event_due on webhook_event (webhook, due_at, seq);
create index webhook_event_by_job on webhook_event (webhook, job);

-- Takes the lock of writers, and returns whether there are webhooks. The second statement sees what
-- was committed before the lock was granted, because a volatile function takes a snapshot for each.
{only_postgres}create function qwicket_begin_write(lock bigint) returns boolean
{only_postgres}language plpgsql volatile as $$
{only_postgres}begin
{only_postgres}perform pg_advisory_xact_lock(lock);
{only_postgres}return exists (select 1 from webhook);
{only_postgres}end
{only_postgres}$$;
