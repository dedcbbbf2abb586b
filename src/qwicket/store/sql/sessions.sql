-- Sessions at the pages, and identities at a provider. Statements use primary keys unless they name
-- an index.

-- name: session_add
-- Adds nothing for a disabled account.
insert into session (digest, account, created_at, expires_at, agent, address, used_at)
select
    cast(:digest as {blob}), id, cast(:now as bigint), cast(:expires_at as bigint),
    cast(:agent as text), cast(:address as text), cast(:now as bigint)
from account where id = :account and disabled_at is null;

-- name: session_expire
-- Index session_by_expiry.
delete from session where expires_at <= :now;

-- name: session_trim
-- Keeps this session and the newest other ones of its account, whose times may be those of a wrong
-- clock, and deletes the rest; index session_by_account.
delete from session
where account = :account and digest in (
    select other.digest from session as other
    where other.account = :account and other.digest <> :digest
    order by other.created_at desc
    limit 1000 offset :keep
);

-- name: session_account
select account, used_at from session where digest = :digest and expires_at > :now;

-- name: session_use
update session set used_at = :now where digest = :digest;

-- name: session_list
-- Index session_by_account.
select digest, agent, address, created_at, used_at, expires_at from session
where account = :account and expires_at > :now
order by created_at desc;

-- name: session_end
delete from session where digest = :digest;

-- name: session_end_account
-- Index session_by_account.
delete from session where account = :account;

-- name: session_end_others
-- Index session_by_account.
delete from session where account = :account and digest <> :digest;

-- name: id_token_expire
-- Index used_id_token_by_expiry.
delete from used_id_token where expires_at <= :now;

-- name: id_token_use
insert into used_id_token (digest, expires_at) values (:digest, :expires_at)
on conflict do nothing;

-- name: identity_account
select account from identity where issuer = :issuer and subject = :subject;

-- name: identity_add
-- Adds nothing to an account that has an identity of this issuer; index identity_by_account.
insert into identity (issuer, subject, account, created_at)
select cast(:issuer as text), cast(:subject as text), id, cast(:now as bigint)
from account where id = :account and not exists (
    select 1 from identity as other where other.account = :account and other.issuer = :issuer
);

-- name: account_with_email
select id, name, disabled_at from account where email = :email and deleted_at is null;

-- name: identity_delete_of_account
-- Index identity_by_account.
delete from identity where account = :account;
