-- Results of an exam's jobs can be withheld until it ends: a completed job is then shown as running
-- while `withheld_until` is set, which maintenance removes after that time.
alter table reservation add column withholds_results integer not null default 0;
alter table job add column withheld_until bigint;
create index job_withheld on job (withheld_until) where withheld_until is not null;
