-- Who devices belong to. The devices of one that is not active are hidden and take no new jobs.
create table provider (
    name text primary key,
    is_active integer not null check (is_active in (0, 1))
);
insert into provider (name, is_active) values ('qwicket', 1);

-- All devices so far are built in, and are written anew when a server starts.
alter table device add column provider text not null default 'qwicket';
