-- Invitations: each creates up to `maximum` accounts, members of a project if it names one. Of the
-- code only the SHA-256 is stored.
create table invitation (
    id text primary key,
    digest {blob} not null,
    project text references project (id),
    maximum integer not null,
    used integer not null default 0,
    created_at bigint not null,
    expires_at bigint not null
);
create index invitation_by_digest on invitation (digest);
create index invitation_by_expiry on invitation (expires_at);
