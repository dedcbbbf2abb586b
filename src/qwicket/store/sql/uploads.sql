-- Programs of drafts, uploaded in chunks.

-- name: upload_held
-- Size of an account's uploads; an unfinished one counts as :maximum. Index upload_by_account.
select cast(coalesce(sum(coalesce(size, :maximum)), 0) as bigint) from upload where account = :account;

-- name: upload_begin
insert into upload (id, job, account)
select :id, id, account from job where id = :job and state = 'draft';

-- name: upload_drop_ended
-- Uploads of an account whose jobs are no longer drafts; index upload_by_account.
delete from upload
where account = :account
    and not exists (select 1 from job where job.id = upload.job and job.state = 'draft');

-- name: upload_drop_unfinished
-- Index upload_by_job.
delete from upload where job = :job and size is null;

-- name: upload_drop
delete from upload where id = :id and size is null;

-- name: upload_add
-- Adds nothing if the upload was deleted because another one of its job began.
insert into upload_piece (upload, part, bytes)
select id, :part, :bytes from upload where id = :id and size is null;

-- name: upload_finish
update upload set size = :size
where id = :id and exists (select 1 from job where job.id = upload.job and job.state = 'draft');

-- name: upload_drop_others
-- Index upload_by_job.
delete from upload where job = (select job from upload where id = :id) and id <> :id;

-- name: upload_whole
-- Index upload_by_job.
select id from upload where job = :job and size is not null;

-- name: upload_pieces
select bytes from upload_piece where upload = :id order by part;

-- name: upload_forget
-- Index upload_by_job.
delete from upload where job = :job;

-- name: upload_due
-- scans: in maintenance
-- Reads all uploads, which are few.
select 1 from upload
where not exists (select 1 from job where job.id = upload.job and job.state = 'draft')
limit 1;

-- name: upload_purge
-- scans: in maintenance
-- Reads all uploads, which are few.
delete from upload
where not exists (select 1 from job where job.id = upload.job and job.state = 'draft');
