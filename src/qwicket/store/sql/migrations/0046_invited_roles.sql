-- Role in the project of those who use an invitation. Servers of version 1.0 make all members.
alter table invitation add column role text not null default 'member';
