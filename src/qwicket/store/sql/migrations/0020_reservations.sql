-- Reservations of devices for projects, and maintenance windows of devices, in which no project runs
-- jobs. `agent_device` is the device if agents serve it; its slots are then those of its agents.
create table reservation (
    id text primary key,
    kind text not null check (kind in ('reservation', 'maintenance')),
    device text not null,
    agent_device text,
    from_at bigint not null,
    until_at bigint not null,
    drain_ms bigint not null,
    slots integer,
    is_exclusive integer not null check (is_exclusive in (0, 1)),
    waiting_limit integer,
    reason text not null,
    series text,
    created_at bigint not null
);
create index reservation_by_series on reservation (series) where series is not null;
create index reservation_ended on reservation (until_at);

-- The devices whose jobs it concerns: one, or all on the same workers if it is exclusive.
create table reservation_device (
    device text not null,
    until_at bigint not null,
    reservation text not null references reservation (id) on delete cascade,
    primary key (device, until_at, reservation)
);
create index reservation_device_of on reservation_device (reservation);

-- The projects whose jobs may run; none in a maintenance window.
create table reservation_project (
    reservation text not null references reservation (id) on delete cascade,
    project text not null references project (id),
    primary key (reservation, project)
);

-- A device that drains takes no new jobs, and runs those that wait.
alter table device_state add column is_draining integer not null default 0;
-- A message of administrators to all users of a device.
alter table device_state add column message text not null default '';
