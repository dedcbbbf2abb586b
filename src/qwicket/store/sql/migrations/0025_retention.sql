-- After how many days the ended jobs of a project are deleted; null keeps them.
alter table project add column retention_days integer;
