-- Calibrations. Statements use the unique index on (device, number), or the primary key.

-- name: calibration_add
-- If two servers start at once and choose the same number, one of them adds the row.
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

-- name: calibration_count
select count(*) from calibration
where device = :device and valid_from between :since and :until;

-- name: calibration_list
select id, device, valid_from, body from calibration
where device = :device and valid_from between :since and :until
order by number desc
limit :limit offset :offset;

-- name: calibration_times
-- Without their bodies, which may be large. At most as many rows as calibration_trim keeps.
select id, valid_from from calibration
where device = :device and valid_from <= :until
order by number desc;

-- name: calibration_trim
-- A lab may send a calibration with each job: the oldest go. Jobs name theirs without a key.
delete from calibration where device = :device and number <= :number - :keep;
