-- Pilots, which are runners on other machines that run the jobs of built-in devices, and the scalers
-- that start them. A check cannot be changed in SQLite, so the table is made anew.

create table runner_with_pilots (
    id text primary key,
    kind text not null check (kind in ('server', 'agent', 'pilot', 'scaler')),
    beat bigint not null,
    started_at bigint not null,
    slots integer not null default 0,
    device text,
    express_slots integer not null default 0,
    memory_bytes bigint
);
insert into runner_with_pilots (id, kind, beat, started_at, slots, device, express_slots)
select id, kind, beat, started_at, slots, device, express_slots from runner;
drop table runner;
alter table runner_with_pilots rename to runner;
create index runner_by_device on runner (device) where device is not null;

-- The number of the pilot's request that claimed the job.
alter table lease add column request bigint;

-- The runner that ran the job last.
alter table job add column runner text;
