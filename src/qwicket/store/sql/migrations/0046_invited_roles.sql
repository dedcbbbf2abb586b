-- Role in the project of those who use an invitation. Servers of version 1.0 make all members.
alter table invitation add column role text not null default 'member';

-- The projects above each project of a tree: "physics" and "physics/lab-1" above "physics/lab-1/anna".
create table project_above (
    project text not null references project (id),
    above text not null references project (id),
    primary key (project, above)
);
create index project_below on project_above (above, project);
