-- Keys with which all servers of a database sign. A reader of them can sign in as any user.
create table server_key (
    name text primary key,
    secret {blob} not null,
    created_at bigint not null
);
