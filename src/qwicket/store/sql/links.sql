-- One-time links. Statements use primary keys unless they name an index.

-- name: link_expire
-- Index link_by_expiry.
delete from link where expires_at <= :now;

-- name: link_add
insert into link (digest, kind, account, expires_at)
values (:digest, :kind, :account, :expires_at);

-- name: link_add_set_up
-- scans: the first row
-- Adds nothing if there is an account, also a deleted one.
insert into link (digest, kind, expires_at)
select cast(:digest as {blob}), 'set_up', cast(:expires_at as bigint)
where not exists (select 1 from account);

-- name: link_get
-- scans: the first row
-- Of an account that can sign in; or to set up a server without any account.
select link.kind, coalesce(account.name, '') from link
left join account on account.id = link.account
where link.digest = :digest and link.expires_at > :now and case
    when link.kind = 'set_up' then not exists (select 1 from account as other)
    else account.disabled_at is null
end;

-- name: link_take
delete from link where digest = :digest;

-- name: link_end_account
-- Index link_by_account.
delete from link where account = :account;

-- name: link_end_set_up
-- scans: few rows
-- All in one statement, so that of two people with two links only one sets up the server.
delete from link where kind = 'set_up' returning digest;
