-- Keys that all servers of one database sign with. Whoever reads them can sign in as anybody.
create table server_key (
    name text primary key,
    secret {blob} not null,
    created_at bigint not null
);
