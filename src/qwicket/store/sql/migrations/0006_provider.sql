-- Owners of devices. The devices of an inactive provider are hidden and accept no new jobs.
create table provider (
    name text primary key,
    is_active integer not null check (is_active in (0, 1))
);
insert into provider (name, is_active) values ('qwicket', 1);

-- All devices so far are built in, and a starting server writes them again.
alter table device add column provider text not null default 'qwicket';
