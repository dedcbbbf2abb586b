-- Budgets: what the jobs of a project may use, and what they have used or reserved in the present
-- period. `device` is empty for all devices; seconds are in microseconds, costs in millionths.
create table budget (
    id text primary key not null,
    project text not null references project (id),
    device text not null,
    unit text not null,
    period text not null,
    maximum bigint not null,
    used bigint not null,
    begun_at bigint not null,
    created_at bigint not null,
    unique (project, device, unit, period)
);

-- What a job has reserved, until it ends: JSON. Its cost is an estimate until then.
alter table job add column bill text;
alter table job add column cost bigint;
-- What a job has really used, once it has ended.
alter table job add column used_shots bigint;
alter table job add column used_us bigint;

-- What jobs that were deleted have used, by the day of their end.
create table deleted_use (
    project text not null references project (id),
    device text not null,
    day bigint not null,
    jobs bigint not null,
    shots bigint not null,
    us bigint not null,
    cost bigint not null,
    primary key (project, device, day)
);
create index deleted_use_by_day on deleted_use (day);
