-- The token with which a token was created: revoking it revokes all tokens derived from it. Existing
-- tokens have null, like those that administrators create.
alter table token add column parent text references token (id);
create index token_by_parent on token (parent) where parent is not null;
