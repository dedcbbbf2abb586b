-- The newest times of jobs that were deleted: `created_at` and `change` of an account rise for ever.
alter table account add column last_created_at bigint not null default 0;
alter table account add column last_change bigint not null default 0;
