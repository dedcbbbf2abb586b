-- Whether a person has hidden the first steps on their overview.
alter table account add column hides_first_steps integer not null default 0;
