-- Agents: labs' programs that fetch the jobs of one device.

alter table runner add column device text;
create index runner_by_device on runner (device) where device is not null;

-- Time of an agent's last request. It is shown to users, and never compared with a clock.
alter table device add column seen_at bigint;

-- Progress that the holder of a lease reported last; JSON text.
alter table lease add column progress text;
