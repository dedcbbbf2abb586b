-- Name of who made an invitation; null for one from before this version.
alter table invitation add column made_by text;
