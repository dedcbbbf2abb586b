-- A device that is off may still take jobs, which wait. Servers of the former version refuse them.
alter table device_state add column is_paused integer not null default 0;
