-- An account's jobs of one device or project are found without reading the others.
drop index job_by_account;
create index job_by_account on job (account, seq, device, project);
