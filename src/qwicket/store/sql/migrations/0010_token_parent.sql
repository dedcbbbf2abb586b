-- The token that a token was made with: revoking one revokes all that were made from it. Tokens that
-- exist already keep null, as those that administrators make do.
alter table token add column parent text references token (id);
create index token_by_parent on token (parent) where parent is not null;
