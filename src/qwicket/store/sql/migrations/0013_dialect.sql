-- Renames the API of a job, group, record or key to `dialect`.
alter table job rename column door to dialect;
alter table idempotency rename column door to dialect;
alter table "group" rename column door to dialect;
alter table record rename column door to dialect;
drop index job_by_door;
create index job_by_dialect on job (account, dialect, seq);

-- A device's body is compact JSON. No other list of strings in it can have this name: names in the
-- specification are fixed, or those of parameters with numbers.
update device set body = replace(body, '"doors":["', '"dialects":["')
where body like '%"doors":["%';
