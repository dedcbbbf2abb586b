-- Devices that agents serve.

-- name: device_origin
select origin, body from device where name = :name;

-- name: device_seen
update device set seen_at = :now where name = :name;

-- name: device_presence
-- Number of agents that serve a device; index runner_by_device.
select (select count(*) from runner where runner.device = device.name), seen_at
from device where name = :name;

-- name: program_full
select format, source, inputs, options, circuits from program where job = :job;
