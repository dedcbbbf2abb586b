-- Acts of administrators. Each row's hash covers the row and the hash before, so that a change, a
-- removal or an insertion in between shows. Rows are only added.

create table audit (
    seq bigint primary key,
    at bigint not null,
    actor text not null,
    actor_name text not null,
    address text not null,
    action text not null,
    subject text not null,
    details text not null,
    before text not null,
    after text not null,
    hash {blob} not null
);

{only_sqlite}create trigger audit_update before update on audit
{only_sqlite}begin select raise(abort, 'rows of audit are only added'); end;
{only_sqlite}create trigger audit_delete before delete on audit
{only_sqlite}begin select raise(abort, 'rows of audit are only added'); end;
{only_postgres}create function qwicket_only_added() returns trigger language plpgsql as $$
{only_postgres}begin
{only_postgres}raise exception 'rows of audit are only added';
{only_postgres}end
{only_postgres}$$;
{only_postgres}create trigger audit_only_added before update or delete on audit
{only_postgres}for each row execute function qwicket_only_added();
