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
-- scans: few rows
-- sorts: few rows
select body from device order by position, name;

-- name: device_conditions
-- The states of the devices named in `:tags`, what serves them from elsewhere, and their current
-- calibrations; keys and index runner_by_device.
select
    device.name, {device_state},
    (select count(*) from runner where runner.device = device.name), device.seen_at,
    mirror.is_online, mirror.seen_at, mirror.reason, mirror.n_waiting,
    calibration.id, calibration.device, calibration.valid_from, calibration.body
from {each_text}
inner join device on device.name = asked.value
left join device_state on device_state.device = device.name
left join mirror on mirror.device = device.name
left join calibration on calibration.device = device.name and calibration.number = (
    select max(number) from calibration as known
    where known.device = device.name and known.valid_from <= :at
);

-- name: device_offered_list
-- scans: few rows
-- sorts: few rows
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
insert into device_state (device, is_on, reason, until_at, since_at, is_draining, is_paused)
values (:device, :is_on, :reason, :until_at, :now, :is_draining, :is_paused)
on conflict (device) do update
set is_on = excluded.is_on, reason = excluded.reason, until_at = excluded.until_at,
    since_at = excluded.since_at, is_draining = excluded.is_draining,
    is_paused = excluded.is_paused;

-- name: device_message_put
insert into device_state (device, is_on, reason, until_at, since_at, message)
values (:device, 1, '', null, :now, :message)
on conflict (device) do update set message = excluded.message;

-- name: provider_list
-- scans: few rows
select name, is_active from provider order by name;

-- name: provider_add
insert into provider (name, is_active) values (:name, 1) on conflict (name) do nothing;

-- name: provider_set
update provider set is_active = :is_active where name = :name;

-- name: device_state_of
select since_at from device_state where device = :device;

-- name: device_turn_off_new
insert into device_state (device, is_on, reason, until_at, since_at)
values (:device, 0, :reason, null, :now)
on conflict (device) do nothing;

-- name: device_change_note
-- Nothing if the device is in this state already.
insert into device_change (device, at, status, reason, until_at)
select :device, :now, :status, :reason, :until_at
where not exists (
    select 1 from device left join device_state on device_state.device = device.name
    where device.name = :device and coalesce(is_on, 1) = :is_on
        and coalesce(is_draining, 0) = :is_draining and coalesce(reason, '') = :reason
        and coalesce(until_at, 0) = coalesce(cast(:until_at as bigint), 0)
);

-- name: device_change_away
-- A runner is removed, and no other one serves its device; index runner_by_device.
insert into device_change (device, at, status, reason)
select device, :now, 'away', '' from runner
where id = :id and device is not null and not exists (
    select 1 from runner as other where other.device = runner.device and other.id <> runner.id
)
returning device;

-- name: device_change_online
-- A runner is added, and no other one serves its device yet; index runner_by_device.
insert into device_change (device, at, status, reason)
select :device, :now, 'online', ''
where not exists (select 1 from runner where device = :device);

-- name: device_change_trim
-- Keeps the newest changes of a device; index device_change_by_device.
delete from device_change
where device = :device and number <= (
    select number from device_change where device = :device
    order by number desc limit 1 offset :keep
);

-- name: device_change_list
-- The newest first; index device_change_by_device.
select at, status, reason, until_at from device_change
where device = :device order by number desc limit :limit;

-- name: device_maintenance_list
-- Maintenance windows that have begun, while they are kept; primary key of reservation_device.
select reservation.from_at, 'off', reservation.reason, reservation.until_at
from reservation_device as covered
inner join reservation on reservation.id = covered.reservation
where covered.device = :device and reservation.kind = 'maintenance' and reservation.from_at <= :now
order by covered.until_at desc limit :limit;

-- name: mirror_put
insert into mirror (device, is_online, reason, n_waiting, seen_at)
values (:device, :is_online, :reason, :n_waiting, :now)
on conflict (device) do update
set is_online = excluded.is_online, reason = excluded.reason, n_waiting = excluded.n_waiting,
    seen_at = excluded.seen_at;

-- name: mirror_get
select is_online, seen_at, reason, n_waiting from mirror where device = :name;

-- name: device_change_mirrored
-- Before the mirror is stored: nothing if the other cloud showed the device so before.
insert into device_change (device, at, status, reason)
select :device, :now, :status, :reason
where not exists (
    select 1 from mirror where device = :device and is_online = :is_online and reason = :reason
);
