-- Invitations. Statements use primary keys unless they name an index.

-- name: invitation_add
insert into invitation (id, digest, project, role, maximum, created_at, expires_at, made_by)
select
    :id, cast(:digest as {blob}), cast(:project as text), cast(:role as text),
    cast(:maximum as integer), cast(:now as bigint), cast(:expires_at as bigint),
    cast(:made_by as text);

-- name: invitation_count
-- scans: few rows
-- Reads all invitations, which are few.
select count(*) from invitation where project = :project;

-- name: invitation_expire
-- Index invitation_by_expiry.
delete from invitation where expires_at <= :now;

-- name: invitation_list
-- scans: few rows
-- Reads all invitations, which are few; those of one project, or all.
select invitation.id, project.name, invitation.role, invitation.maximum, invitation.used,
    invitation.created_at, invitation.expires_at, invitation.made_by
from invitation left join project on project.id = invitation.project
where invitation.expires_at > :now
    and (cast(:project as text) is null or invitation.project = :project)
order by invitation.id desc;

-- name: invitation_get
-- An invitation that can be used now; index invitation_by_digest.
select invitation.id, project.name, invitation.role, invitation.maximum, invitation.used,
    invitation.created_at, invitation.expires_at, invitation.made_by
from invitation left join project on project.id = invitation.project
where invitation.digest = :digest and invitation.expires_at > :now
    and invitation.used < invitation.maximum;

-- name: invitation_use
update invitation set used = used + 1
where id = :id and expires_at > :now and used < maximum;

-- name: invitation_remove
-- Of one project, or of any.
delete from invitation
where id = :id and (cast(:project as text) is null or project = :project);
