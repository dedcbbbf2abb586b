-- Jobs of which it is unknown whether another cloud has them wait for a person, who resolves it:
-- the other cloud has the job under an id (`vendor_job_id`), or does not have it (`absent`).
alter table forward add column unresolved text;
alter table forward add column absent integer not null default 0;
create index forward_vendor_job on forward (vendor_job_id) where vendor_job_id is not null;

-- Devices at other clouds, as these last showed them.
create table mirror (
    device text primary key references device (name) on delete cascade,
    is_online integer not null,
    reason text not null,
    n_waiting integer not null,
    seen_at bigint not null
);
