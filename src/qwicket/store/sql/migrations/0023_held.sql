-- Who keeps a waiting job from starting. Held jobs leave the indexes by which jobs are claimed, so
-- that any number of them costs a claim nothing.
alter table job add column held_by text check (held_by in ('owner', 'admin'));
drop index job_to_claim;
create index job_to_claim on job (device, project, priority desc, seq)
where state = 'queued' and held_by is null;
create index job_held on job (device, project) where state = 'queued' and held_by is not null;
drop index job_express;
create index job_express on job (express, priority desc, seq)
where state = 'queued' and express is not null and held_by is null;
