-- Short jobs that may start beside the worker slots.

-- `express` names the lane in which such a job waits, its device and account; null for others.
alter table job add column express text;
create index job_express on job (express, priority desc, seq)
where state = 'queued' and express is not null;

-- Accounts take turns. An account whose job overran is barred until `express_from`.
alter table account add column express_turn bigint not null default 0;
alter table account add column express_from bigint not null default 0;
create index account_by_express_turn on account (express_turn);

alter table runner add column express_slots integer not null default 0;
