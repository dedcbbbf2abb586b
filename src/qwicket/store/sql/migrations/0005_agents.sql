-- Labs' programs that pull the jobs of one device: the runners called agents.

alter table runner add column device text;
create index runner_by_device on runner (device) where device is not null;

-- When an agent was last heard of; told to people, compared with no clock.
alter table device add column seen_at bigint;

-- What the holder of a lease last said of how far it is; JSON text.
alter table lease add column progress text;
