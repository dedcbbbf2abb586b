-- What changed whether a device takes jobs: an administrator, or its agents' coming and going. A row
-- is written only with such a change, and each device keeps its newest ones.
create table device_change (
    number {serial} primary key {autoincrement},
    device text not null,
    at bigint not null,
    status text not null check (status in ('on', 'draining', 'off', 'online', 'away')),
    reason text not null,
    until_at bigint
);
create index device_change_by_device on device_change (device, number);

-- When a token was used, written at most once an hour for each.
alter table token add column used_at bigint;
