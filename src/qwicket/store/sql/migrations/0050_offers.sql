-- What a worker takes: the ids of the only projects, or of those that it leaves to others; the memory
-- for each task, also of one that serves only some jobs; and until when it runs, in Unix ms. A null
-- sets no limit; servers of the former version write none of them.
alter table runner add column projects text;
alter table runner add column are_left integer not null default 1;
alter table runner add column task_bytes bigint;
alter table runner add column ends_at bigint;
