-- The newest times of deleted jobs, because `created_at` and `change` of an account must always rise.
alter table account add column last_created_at bigint not null default 0;
alter table account add column last_change bigint not null default 0;
