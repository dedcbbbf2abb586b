-- Programs uploaded in chunks. `size` is null until an upload is complete.
create table upload (
    id text primary key,
    job text not null references job (id) on delete cascade,
    account text not null references account (id),
    size bigint
);
create index upload_by_job on upload (job);
create index upload_by_account on upload (account);

create table upload_piece (
    upload text not null references upload (id) on delete cascade,
    part integer not null,
    bytes {blob} not null,
    primary key (upload, part)
);
