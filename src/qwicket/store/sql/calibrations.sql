-- Calibrations; all of these are served by the unique index on (device, number).

-- name: calibration_add
-- Of two servers that start at once and count alike, one adds the row.
insert into calibration (id, device, number, valid_from, body)
values (:id, :device, :number, :valid_from, :body)
on conflict (device, number) do nothing;

-- name: calibration_last
select number, body from calibration where device = :device order by number desc limit 1;

-- name: calibration_at
select id, device, valid_from, body from calibration
where device = :device and valid_from <= :at
order by number desc
limit 1;

-- name: calibration_get
select id, device, valid_from, body from calibration where id = :id;

-- name: calibration_list
select id, device, valid_from, body from calibration
where device = :device and valid_from <= :at
order by number desc
limit :limit;
