-- Bounds of tokens. Statements use primary keys unless they name an index.

-- name: token_day_add
-- Adds nothing if the day has no room for a job; a null bound limits nothing. Sums stop before they
-- overflow 64 bits.
insert into token_day (token, day, shots, cost)
select
    cast(:token as text), cast(:day as bigint), cast(:shots as bigint), cast(:cost as bigint)
where cast(:shots as bigint) <= coalesce(cast(:daily_shots as bigint), {max_sum})
    and cast(:cost as bigint) <= coalesce(cast(:daily_cost as bigint), {max_sum})
on conflict (token, day) do update set
    shots = {least}(token_day.shots + excluded.shots, {max_sum}),
    cost = {least}(token_day.cost + excluded.cost, {max_sum})
where token_day.shots + excluded.shots <= coalesce(cast(:daily_shots as bigint), 2 * {max_sum})
    and token_day.cost + excluded.cost <= coalesce(cast(:daily_cost as bigint), 2 * {max_sum})
returning shots;

-- name: token_day_get
select token, day, shots, cost from token_day where token = :token and day = :day;

-- name: token_day_settle
update token_day set
    shots = {least}(shots + :shots, {max_sum}), cost = {least}(cost + :cost, {max_sum})
where token = :token and day = :day;

-- name: token_day_due
-- Index token_day_by_time.
select 1 from token_day where day < :before limit 1;

-- name: token_day_purge
-- Index token_day_by_time.
delete from token_day where day < :before;

-- name: confirmation_use
-- Uses the answer to a question, which holds once; index confirmation_by_token.
update confirmation set used_at = :now
where token = :token and digest = :digest and is_confirmed = 1 and used_at is null
    and answered_at > :answered_since
returning id;

-- name: confirmation_find
-- sorts: few rows
-- A question that waits, or whose answer holds; index confirmation_by_token.
select {confirmation} from confirmation
where token = :token and digest = :digest and used_at is null
    and (answered_at > :answered_since or (answered_at is null and asked_at > :asked_since))
order by asked_at desc
limit 1;

-- name: confirmation_count
-- Questions of a token that wait; index confirmation_by_token.
select count(*) from confirmation
where token = :token and answered_at is null and asked_at > :asked_since;

-- name: confirmation_add
insert into confirmation (
    id, token, account, digest, device, name, format, program, shots, cost, asked_at
)
values (
    :id, :token, :account, :digest, :device, :name, :format, :program, :shots, :cost, :now
);

-- name: confirmation_get
select {confirmation} from confirmation
where id = :id and account = :account;

-- name: confirmation_list
-- Those of an account that wait, the oldest first; index confirmation_by_account.
select {confirmation} from confirmation
where account = :account and asked_at > :asked_since and answered_at is null
order by asked_at;

-- name: confirmation_answer
update confirmation
set answered_at = :now, answered_by = :answered_by, is_confirmed = :is_confirmed
where id = :id and account = :account and answered_at is null and asked_at > :asked_since;

-- name: confirmation_due
-- Index confirmation_by_time.
select 1 from confirmation where asked_at < :before limit 1;

-- name: confirmation_purge
-- Index confirmation_by_time.
delete from confirmation where asked_at < :before;
