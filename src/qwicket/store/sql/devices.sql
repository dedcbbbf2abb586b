-- Devices, their states, and their providers.

-- name: device_put
insert into device (name, position, provider, body, origin)
values (:name, :position, :provider, :body, :origin)
on conflict (name) do update
set position = excluded.position, provider = excluded.provider, body = excluded.body
where device.origin = excluded.origin;

-- name: device_get
select body from device where name = :name;

-- name: device_offered
-- A device of an active provider.
select device.body from device
join provider on provider.name = device.provider and provider.is_active = 1
where device.name = :name;

-- name: device_snapshot
-- A device of an active provider, with its state, the exam that it is reserved for, and its current
-- calibration; keys only.
select
    device.body, {device_state}, {device_exam},
    calibration.id, calibration.device, calibration.valid_from, calibration.body
from device
join provider on provider.name = device.provider and provider.is_active = 1
left join device_state on device_state.device = device.name
left join calibration on calibration.device = device.name and calibration.number = (
    select max(number) from calibration as known
    where known.device = device.name and known.valid_from <= :at
)
where device.name = :name;

-- name: device_list
select body from device order by position, name;

-- name: device_offered_list
select device.body from device
join provider on provider.name = device.provider and provider.is_active = 1
order by device.position, device.name;

-- name: device_state_get
-- Primary keys.
select {device_state} from device
left join device_state on device_state.device = device.name
where device.name = :device;

-- name: device_state_put
-- The message stays.
insert into device_state (device, is_on, reason, until_at, since_at, is_draining)
values (:device, :is_on, :reason, :until_at, :now, :is_draining)
on conflict (device) do update
set is_on = excluded.is_on, reason = excluded.reason, until_at = excluded.until_at,
    since_at = excluded.since_at, is_draining = excluded.is_draining;

-- name: device_message_put
insert into device_state (device, is_on, reason, until_at, since_at, message)
values (:device, 1, '', null, :now, :message)
on conflict (device) do update set message = excluded.message;

-- name: provider_list
select name, is_active from provider order by name;

-- name: provider_add
insert into provider (name, is_active) values (:name, 1) on conflict (name) do nothing;

-- name: provider_set
update provider set is_active = :is_active where name = :name;

-- name: device_park
insert into device_state (device, is_on, reason, until_at, since_at)
values (:device, 0, :reason, null, :now)
on conflict (device) do nothing;
