-- One-time links: each lets its holder set a password or sign in, once. Of the code in it only the
-- SHA-256 is stored. A link of the kind `set_up` has no account.
create table link (
    digest {blob} primary key,
    kind text not null,
    account text references account (id),
    expires_at bigint not null
);
create index link_by_account on link (account);
create index link_by_expiry on link (expires_at);
-- Unix milliseconds of the last change of the password; null if it never changed. Then what a
-- person prefers at the pages; null for the browser's theme and UTC.
alter table account add column password_at bigint;
alter table account add column theme text;
alter table account add column time_zone text;
-- What people call a token.
alter table token add column name text;
-- What a person sees of their sessions; of those from before this version nothing is known.
alter table session add column agent text;
alter table session add column address text;
alter table session add column used_at bigint;
