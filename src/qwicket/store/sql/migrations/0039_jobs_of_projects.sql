-- The jobs of a project, of all of its accounts, are listed without reading those of others.
create index job_by_project on job (project, seq);
