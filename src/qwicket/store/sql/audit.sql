-- The audit: rows in the order of their numbers; each hash covers the one before.

-- name: audit_last
select seq, hash from audit where seq > 0 order by seq desc limit 1;

-- name: audit_add
insert into audit
    (seq, at, actor, actor_name, address, action, subject, details, before, after, hash)
values
    (:seq, :at, :actor, :actor_name, :address, :action, :subject, :details, :before, :after, :hash);

-- name: audit_page
select seq, at, actor, actor_name, address, action, subject, details, before, after, hash
from audit where seq < :before order by seq desc limit :number;

-- name: audit_search
-- Of the entries from number :first on; a part of the subject is the name of what it is about.
select seq, at, actor, actor_name, address, action, subject, details, before, after, hash
from audit
where
    seq >= :first and seq < :before
    and (cast(:action as text) = '' or action = cast(:action as text))
    and (
        cast(:about as text) = '' or actor_name = cast(:about as text)
        or {position}('/' || subject || '/', '/' || cast(:about as text) || '/') > 0
    )
order by seq desc
limit :number;

-- name: audit_after
select seq, at, actor, actor_name, address, action, subject, details, before, after, hash
from audit where seq > :after order by seq limit :number;

-- The recorded columns of what an act changes, read before and after the act.

-- name: audit_account
-- By name or e-mail address; an address contains `@`, and a name does not.
select name, role, email, disabled_at, deleted_at from account
where name = :key or email = :key limit 1;

-- name: audit_project
select name, shares, retention_days from project where name = :key;

-- name: audit_budget
-- scans: few rows
-- By its id, or by what it is for; reads all budgets, which are few.
select
    budget.id, project.name, budget.device, budget.unit, budget.period, budget.maximum,
    budget.used, budget.begun_at, ''
from budget join project on project.id = budget.project
where budget.id = :key
    or project.name || '/' || budget.device || '/' || budget.unit || '/' || budget.period = :key
union all
select
    limits.id, project.name, limits.device, limits.unit, limits.period, limits.maximum, null, null,
    coalesce(account.name, 'each')
from member_budget as limits join project on project.id = limits.project
left join account on account.id = limits.account
where limits.id = :key
    or project.name || '/' || limits.device || '/' || limits.unit || '/' || limits.period
        || '/' || coalesce(account.name, 'each') = :key;

-- name: audit_member
select project.name, account.name, member.shares, member.role from member
join project on project.id = member.project join account on account.id = member.account
where project.name = :key and (account.name = :other or account.email = :other);

-- name: audit_device
select device, is_on, reason, until_at, is_draining, is_paused, message from device_state where device = :key;

-- name: audit_job
select id, device, state, priority, held_by from job where id = :key;

-- name: audit_invitation
select invitation.id, project.name, invitation.maximum, invitation.used, invitation.expires_at
from invitation left join project on project.id = invitation.project
where invitation.id = :key;

-- name: audit_identity
select identity.issuer, identity.subject, account.name from identity
join account on account.id = identity.account
where identity.issuer = :key and identity.subject = :other;

-- name: audit_provider
select name, is_active from provider where name = :key;

-- name: audit_reservation
select kind, device, from_at, until_at, slots, reason from reservation where id = :key;

-- name: audit_token
select
    token.id, account.name, token.scopes, token.devices, token.expires_at, token.revoked_at,
    token.bounds
from token join account on account.id = token.account where token.id = :key;
