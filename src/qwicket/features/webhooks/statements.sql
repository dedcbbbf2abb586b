-- Webhooks and their outbox. For one webhook and job, `due_at` never falls from one event to the
-- next, so that the order by (due_at, seq) keeps the events of a job in order.

-- name: webhook_add
-- Adds nothing if the project has reached its limit; index webhook_by_project.
insert into webhook (id, account, project, url, events, device, secret, created_at)
select :id, :account, :project, :url, :events, :device, :secret, :now
where (select count(*) from webhook where project = :project) < :maximum
returning {webhook};

-- name: webhook_get
-- Primary key.
select {webhook} from webhook where id = :id and account = :account;

-- name: webhook_list
-- Index webhook_by_account.
select {webhook} from webhook where account = :account order by created_at, id;

-- name: webhook_failing
-- sorts: few rows
-- scans: few rows
-- With the names of their accounts, those that have failed longest first; reads all webhooks.
select {webhook}, account.name from webhook
inner join account on account.id = webhook.account
where webhook.failing_since is not null
order by webhook.failing_since
limit :limit;

-- name: webhook_delete
delete from webhook where id = :id and account = :account;

-- name: webhook_rotate
update webhook set former_secret = secret, former_until = :until, secret = :secret
where id = :id and account = :account
returning {webhook};

-- name: webhook_keys
-- Primary key.
select url, secret, case when former_until > :now then former_secret end
from webhook where id = :id and account = :account;

-- name: webhook_event_add
-- One row for each webhook of the project that asks for the event, while its account is a member.
-- Indexes webhook_by_project, webhook_event_by_job.
insert into webhook_event (webhook, job, version, body, attempts, due_at)
select
    webhook.id, :job, :version, :body, 0,
    {greatest}(:now, coalesce((
        select max(earlier.due_at) from webhook_event as earlier
        where earlier.webhook = webhook.id and earlier.job = :job
    ), 0))
from webhook
inner join account on account.id = webhook.account
inner join member on member.account = webhook.account and member.project = webhook.project
where webhook.project = :project and webhook.disabled_at is null and account.disabled_at is null
    and {position}(webhook.events, :event) > 0
    and (webhook.device is null or webhook.device = :device);

-- name: webhook_backlog
-- scans: few rows
-- When the next event of each webhook is due; index webhook_event_due.
select id, due_at from (
    select webhook.id, (
        select min(webhook_event.due_at) from webhook_event
        where webhook_event.webhook = webhook.id
    ) as due_at
    from webhook
) as found
where due_at is not null;

-- name: webhook_event_next
-- Index webhook_event_due.
select
    event.seq, event.webhook, event.job, event.version, event.body, event.attempts, webhook.url,
    webhook.secret, case when webhook.former_until > :now then webhook.former_secret end,
    webhook.failing_since
from webhook_event as event
inner join webhook on webhook.id = event.webhook
where event.webhook = :webhook and event.due_at <= :now
order by event.due_at, event.seq
limit 1;

-- name: webhook_event_beyond
-- scans: few rows
-- Webhooks for which more than :maximum events wait, and how many; index webhook_event_by_job.
select webhook, count(*) from webhook_event group by webhook having count(*) > :maximum;

-- name: webhook_event_delete
delete from webhook_event where seq = :seq;

-- name: webhook_event_delete_all
delete from webhook_event where webhook = :webhook;

-- name: webhook_event_count_attempt
update webhook_event set attempts = attempts + 1 where seq = :seq;

-- name: webhook_event_postpone
-- All events of a job, so that none overtakes another; index webhook_event_by_job.
update webhook_event set due_at = {greatest}(due_at, :due)
where webhook = :webhook and job = :job;

-- name: webhook_event_total
-- scans: few rows
select count(*) from webhook_event;

-- name: webhook_delivered
update webhook set delivered_at = :now, failing_since = null, last_error = null
where id = :webhook;

-- name: webhook_failed
update webhook set failing_since = coalesce(failing_since, :now), last_error = :error
where id = :webhook;

-- name: webhook_disable
update webhook set disabled_at = :now, disabled_reason = :reason
where id = :webhook and disabled_at is null;

-- name: webhook_enable
update webhook set
    disabled_at = null, disabled_reason = null, failing_since = null, last_error = null,
    delivered_at = :now
where id = :webhook;
