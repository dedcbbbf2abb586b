-- Reservations and maintenance windows. The statements that claim jobs contain the condition that no
-- window keeps a job from starting ({may_start:…}).

-- name: reservation_add
insert into reservation (
    id, kind, device, agent_device, from_at, until_at, drain_ms, slots, is_exclusive, waiting_limit,
    withholds_results, reason, series, created_at
)
values (
    :id, :kind, :device, :agent_device, :from_at, :until_at, :drain_ms, :slots, :is_exclusive,
    :waiting_limit, :withholds_results, :reason, :series, :created_at
);

-- name: reservation_device_add
insert into reservation_device (device, until_at, reservation)
values (:device, :until_at, :reservation);

-- name: reservation_project_add
insert into reservation_project (reservation, project) values (:reservation, :project);

-- name: reservation_project_add_below
-- What is reserved for a project is also for those below it; index project_below.
insert into reservation_project (reservation, project)
select cast(:reservation as text), project_above.project from project_above
where project_above.above = :project
on conflict do nothing;

-- name: reservation_overlap
-- A reservation of a device that overlaps a time; primary key.
select reservation.id, reservation.from_at, reservation.until_at
from reservation_device as covered
inner join reservation on reservation.id = covered.reservation
where covered.device = :device and covered.until_at > :from_at and reservation.from_at < :until_at
    and reservation.kind = 'reservation'
limit 1;

-- name: reservation_list
-- Those that have not ended; index reservation_ended.
select {reservation} from reservation where until_at > :now;

-- name: reservation_of_device
-- Those of a device that have not ended and begin before a time; primary keys.
select {reservation}
from reservation_device as covered
inner join reservation on reservation.id = covered.reservation
where covered.device = :device and covered.until_at > :now and reservation.from_at < :before;

-- name: reservation_get
select {reservation} from reservation where id = :id;

-- name: reservation_devices
-- Index reservation_device_of.
select device from reservation_device where reservation = :id;

-- name: reservation_projects
-- With those below them; primary key.
select project from reservation_project where reservation = :id;

-- name: reservation_project_names
-- Without those below them; primary keys.
select project.name
from reservation_project
inner join project on project.id = reservation_project.project
where reservation_project.reservation = :id
    and not exists (
        select 1 from project_above
        inner join reservation_project as named on named.project = project_above.above
        where project_above.project = reservation_project.project and named.reservation = :id
    );

-- name: reservation_projects_of_member
-- Names of the projects of which an account is a member; primary keys.
select project.name
from reservation_project
inner join project on project.id = reservation_project.project
inner join member on member.project = project.id and member.account = :account
where reservation_project.reservation = :id;

-- name: reservation_release_results
-- Lets maintenance show the results of its jobs with its next round; index job_withheld.
update job set withheld_until = :now
where withheld_until > :now and withheld_until = (
        select until_at from reservation where reservation.id = :id and withholds_results = 1
    )
    and device in (select device from reservation_device where reservation = :id);

-- name: reservation_delete
delete from reservation where id = :id;

-- name: reservation_delete_series
-- Index reservation_by_series.
delete from reservation where series = :series;

-- name: reservation_due
-- Index reservation_ended.
select 1 from reservation where until_at <= :before limit 1;

-- name: reservation_purge
delete from reservation where until_at <= :before;
