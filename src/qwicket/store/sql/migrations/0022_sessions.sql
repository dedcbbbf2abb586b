-- Sessions of people who signed in at the pages: of each cookie only the SHA-256.
create table session (
    digest {blob} primary key,
    account text not null references account (id),
    created_at bigint not null,
    expires_at bigint not null
);
create index session_by_account on session (account, created_at);
create index session_by_expiry on session (expires_at);

-- Accounts of people at an identity provider, which names each by its issuer and a subject.
create table identity (
    issuer text not null,
    subject text not null,
    account text not null references account (id),
    created_at bigint not null,
    primary key (issuer, subject)
);
create index identity_by_account on identity (account);

-- ID tokens that were used, until they expire: each signs in once.
create table used_id_token (
    digest {blob} primary key,
    expires_at bigint not null
);
create index used_id_token_by_expiry on used_id_token (expires_at);
