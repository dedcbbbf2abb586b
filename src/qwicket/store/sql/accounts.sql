-- Accounts, projects, members and tokens. Statements use primary or unique keys unless they name an
-- index.

-- name: account_add
insert into account (id, name, role, email, password_hash, created_at)
values (:id, :name, :role, :email, :password_hash, :now);

-- name: account_by_name
-- By name or e-mail address, both unique.
select {account} from account where (name = :name or email = :name) and deleted_at is null;

-- name: account_is_taken
-- Names of deleted accounts are reserved as long as they can be restored.
select 1 from account where name = :name;

-- name: account_has_email
select 1 from account where email = :email;

-- name: account_by_id
select {account} from account where id = :id;

-- name: account_for_password
-- By name or e-mail address, both unique.
select {account}, password_hash from account
where (name = :login or email = :login) and deleted_at is null;

-- name: account_list
-- scans: few rows
select {account} from account where deleted_at is null order by name;

-- name: account_list_deleted
-- scans: few rows
-- Those that can be restored; index account_deleted.
select {account} from account where deletion in ('keep', 'remove') order by deleted_at;

-- name: account_page
-- Those of administrators' lists, with the last use of a token and of a session; the unique key of
-- names gives their order, and indexes token_by_account and session_by_account the uses.
select
    {account},
    (select max(token.used_at) from token where token.account = account.id),
    (select max(session.used_at) from session where session.account = account.id)
from account
where
    name > :after and {position}(name || ' ' || coalesce(email, ''), cast(:part as text)) > 0
    and (
        (cast(:which as text) = 'deleted' and deletion in ('keep', 'remove'))
        or (deleted_at is null and (
            cast(:which as text) = '' or (cast(:which as text) = 'admins' and role = 'admin')
            or (cast(:which as text) = 'disabled' and disabled_at is not null)
        ))
    )
order by name
limit :limit;

-- name: project_names_of_accounts
-- sorts: few rows
-- Of a page of accounts, given as a JSON list; primary key of member.
select member.account, project.name from member
inner join project on project.id = member.project
where member.account in (select asked.value from {each_job})
order by project.name;

-- name: account_of_names
-- Those of a file of people, given as a JSON list, with deleted ones; unique key of names.
select {account} from account where name in (select asked.value from {each_job});

-- name: account_of_emails
-- Likewise, by the unique key of addresses.
select {account} from account where email in (select asked.value from {each_job});

-- name: project_of_names
-- Likewise; unique key of names.
select {project} from project where name in (select asked.value from {each_job});

-- name: member_of_projects
-- sorts: few rows
-- Members of the projects of such a file; unique key of names, index member_by_project.
select project.name, account.id, account.name, account.role, account.disabled_at, member.role
from project
inner join member on member.project = project.id
inner join account on account.id = member.account
where project.name in (select asked.value from {each_job}) and account.deleted_at is null
order by project.name, account.name;

-- name: token_of_import
-- Tokens that an import made for accounts, given as a JSON list; index token_by_account.
select id, account, expires_at from token
where account in (select asked.value from {each_job})
    and name = :name and parent is null and revoked_at is null;

-- name: token_set_expiry
update token set expires_at = :expires_at where id = :id;

-- name: account_disable
update account set disabled_at = coalesce(disabled_at, :now) where id = :id;

-- name: account_enable
update account set disabled_at = null where id = :id;

-- name: account_set_role
update account set role = :role where id = :id;

-- name: account_set_email
update account set email = :email where id = :id;

-- name: account_set_password
update account set password_hash = :password_hash, password_at = :now where id = :id;

-- name: account_set_preferences
update account set theme = :theme, time_zone = :time_zone where id = :id;

-- name: account_first_steps
-- Primary key, and index token_by_account.
select
    hides_first_steps,
    (select 1 from token where account = :id limit 1),
    (select 1 from token where account = :id and used_at is not null limit 1)
from account where id = :id;

-- name: account_hide_first_steps
update account set hides_first_steps = 1 where id = :id;

-- name: account_delete
-- Disables it with the same time, so that `account_restore` enables it unless it was disabled before.
update account set deleted_at = :now, deletion = :deletion, disabled_at = coalesce(disabled_at, :now)
where id = :id;

-- name: account_restore
-- Index account_deleted.
update account set
    disabled_at = case when disabled_at = deleted_at then null else disabled_at end,
    deleted_at = null, deletion = null
where name = :name and deletion in ('keep', 'remove');

-- name: account_to_purge
-- Index account_deleted.
select id, name, deletion from account
where deletion in ('keep', 'remove') and deleted_at < :before limit 1;

-- name: account_purge
update account set name = :name, email = null, password_hash = null, deletion = 'done'
where id = :id;

-- name: project_rename
update project set name = :name where name = :before;

-- name: job_of_account_unfinished
-- Index job_by_account.
select id, seq from job
where account = :account and seq > :after and state in ('draft', 'queued', 'running', 'uncertain')
order by seq
limit :limit;

-- name: job_of_account_ended
-- Index job_by_account.
select id from job where account = :account and ended_at is not null limit :limit;

-- name: token_revoke_account
-- Index token_by_account.
update token set revoked_at = coalesce(revoked_at, :now) where account = :account;

-- name: token_revoke_scope
-- Index token_by_account.
update token set revoked_at = coalesce(revoked_at, :now)
where account = :account and {position}(scopes, :scope) > 0;

-- name: project_add
insert into project (id, name, shares, created_at) values (:id, :name, :shares, :now);

-- name: project_add_above
-- All projects above a new one: its parent, and those above the parent.
insert into project_above (project, above)
select cast(:project as text), cast(:parent as text)
union all
select cast(:project as text), project_above.above from project_above
where project_above.project = :parent;

-- name: project_add_reservations
-- scans: few rows
-- What is reserved for a project is also for those below it. Reads all reservations, which are few.
insert into reservation_project (reservation, project)
select reservation_project.reservation, cast(:project as text) from reservation_project
where reservation_project.project = :parent;

-- name: project_list_below
-- sorts: few rows
-- Index project_below.
select {project} from project
where id in (select project_above.project from project_above where above = :project)
order by name;

-- name: project_by_name
select {project} from project where name = :name;

-- name: project_of_account
-- sorts: few rows
-- An account has few projects.
select {project} from project
where id in (select project from member where account = :account)
order by name;

-- name: project_list
-- scans: few rows
select {project} from project order by name;

-- name: project_page
-- Those of administrators' lists, with the number of their members; unique key of names. A project
-- is personal if an account has its name. Index member_by_project.
select {project}, (select count(*) from member where member.project = project.id)
from project
where
    project.name > :after and {position}(project.name, cast(:part as text)) > 0
    and (
        cast(:which as text) = 'all'
        or case when exists (select 1 from account where account.name = project.name)
            then 'personal' else 'shared' end = cast(:which as text)
    )
order by project.name
limit :limit;

-- name: project_set_retention
update project set retention_days = :days where name = :name returning {project};

-- name: project_retentions
-- scans: few rows
-- sorts: few rows
-- Reads all projects, which are few. One without a time has that of the nearest above it, whose name
-- is the longest.
select id, retention_days from project where retention_days is not null
union all
select project.id, (
    select above.retention_days from project_above
    inner join project as above on above.id = project_above.above
    where project_above.project = project.id and above.retention_days is not null
    order by length(above.name) desc
    limit 1
)
from project
where retention_days is null and exists (
    select 1 from project_above
    inner join project as above on above.id = project_above.above
    where project_above.project = project.id and above.retention_days is not null
);

-- name: project_set_shares
update project set shares = :shares where name = :name returning {project};

-- name: member_list
-- sorts: few rows
-- Index member_by_project and primary keys.
select
    account.name, member.shares, member.role,
    coalesce((
        select bytes from member_bytes
        where member_bytes.project = member.project and member_bytes.account = member.account
    ), 0)
from member
inner join account on account.id = member.account
where member.project = :project
order by account.name;

-- name: member_counts
-- Indexes: primary key of an account's memberships, then member_by_project.
select own.project, count(*) from member as own
inner join member on member.project = own.project
where own.account = :account
group by own.project;

-- name: member_own_bytes
-- What an account stores for each of its projects; primary keys.
select member_bytes.project, member_bytes.bytes from member
inner join member_bytes
    on member_bytes.project = member.project and member_bytes.account = member.account
where member.account = :account;

-- name: member_remove
delete from member where account = :account and project = :project;

-- name: token_revoke_member
-- Also revokes all tokens derived from these; indexes token_by_account and token_by_parent.
with recursive tree (id) as (
    select id from token
    where account = :account and project = :project and revoked_at is null
    union
    select token.id from token inner join tree on token.parent = tree.id
)
update token set revoked_at = :now
where id in (select tree.id from tree) and revoked_at is null;

-- name: member_add
insert into member (account, project, role) values (:account, :project, :role)
on conflict do nothing;

-- name: member_change
-- A null parameter leaves its column unchanged.
update member set
    shares = coalesce(cast(:shares as integer), shares), role = coalesce(cast(:role as text), role)
where account = :account and project = :project;

-- name: member_end_invitations
-- scans: few rows
-- Those that a former lead has made, who could come back with them. Reads all invitations, which
-- are few.
delete from invitation
where project = :project and made_by = (select name from account where id = :account);

-- name: member_leads
-- A row if an account leads a project or one above it; primary keys.
select 1 from member
where account = :account and role = 'lead' and project in ({charged})
limit 1;

-- name: member_get
select 1 from member where account = :account and project = :project;

-- name: token_add
insert into token
    (id, account, project, digest, scopes, devices, created_at, expires_at, parent, name, bounds)
values (
    :id, :account, :project, :digest, :scopes, :devices, :now, :expires_at, :parent, :name, :bounds
);

-- name: token_by_digest
select {token}, account.name, account.role, account.disabled_at
from token
inner join account on account.id = token.account
where token.digest = :digest;

-- name: token_by_id
select {token}, account.name, account.role, account.disabled_at
from token
inner join account on account.id = token.account
where token.id = :id;

-- name: token_use
update token set used_at = :now where id = :id;

-- name: token_list
-- Index token_by_account.
select {token} from token where account = :account order by created_at;

-- name: token_valid_list
-- Valid tokens; index token_by_account.
select {token} from token
where account = :account and revoked_at is null and (expires_at is null or expires_at > :now)
order by created_at
limit :limit;

-- name: token_made
-- A row if an account has more than :maximum tokens from a time on; index token_by_account.
select 1 from token where account = :account and created_at > :since
order by created_at limit 1 offset :maximum;

-- name: token_get
select {token} from token where id = :id and account = :account;

-- name: token_revoke
-- Also revokes all tokens derived from it; primary key and index token_by_parent.
with recursive tree (id) as (
    select id from token where id = :id
    union
    select token.id from token inner join tree on token.parent = tree.id
)
update token set revoked_at = coalesce(revoked_at, :now)
where id in (select tree.id from tree)
returning {token};

-- name: server_key_add
insert into server_key (name, secret, created_at) values (:name, :secret, :now)
on conflict do nothing;

-- name: server_key_put
insert into server_key (name, secret, created_at) values (:name, :secret, :now)
on conflict (name) do update set secret = excluded.secret, created_at = excluded.created_at;

-- name: server_key_get
select secret from server_key where name = :name;
