-- E-mail addresses are equal whatever their case, as people type them: they are stored in lower
-- case. Of addresses that differed by case alone, the oldest account keeps it.
update account set email = null
where exists (
    select 1 from account as older
    where lower(older.email) = lower(account.email) and older.id < account.id
);
update account set email = lower(email) where email is not null;

-- A deleted account can be restored for a while. `deletion` is what becomes of its jobs then; when
-- that is done, it is 'done', and the account has lost its name and address.
alter table account add column deleted_at bigint;
alter table account add column deletion text check (deletion in ('keep', 'remove', 'done'));
create index account_deleted on account (deleted_at) where deletion in ('keep', 'remove');
