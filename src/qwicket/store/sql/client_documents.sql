-- Documents that clients register; their table is `record`.

-- name: record_put
-- The natural key makes a repeated registration the same document.
insert into record (id, account, dialect, key, body, created_at, updated_at)
values (:id, :account, :dialect, :key, :body, :now, :now)
on conflict (account, dialect, key) do nothing;

-- name: record_by_key
select {record} from record where account = :account and dialect = :dialect and key = :key;

-- name: record_update
update record set body = :body, updated_at = :now
where account = :account and dialect = :dialect and key = :key
returning {record};

-- name: record_list
-- Newest first below a `seq`; index record_by_account.
select {record} from record
where account = :account and dialect = :dialect and seq < :before
order by seq desc
limit :limit;

-- name: record_delete
delete from record where account = :account and dialect = :dialect and key = :key;

-- name: record_forget
-- Deletes all but the newest documents of an account and dialect; index record_by_account.
delete from record
where account = :account and dialect = :dialect and seq <= (
    select seq from record where account = :account and dialect = :dialect
    order by seq desc limit 1 offset :maximum
);
