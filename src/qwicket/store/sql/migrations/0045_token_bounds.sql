-- Bounds of a token as JSON (`model/bounds.py`); null without.
alter table token add column bounds text;
-- What the jobs of a token with bounds have used or reserved, by day.
create table token_day (
    token text not null references token (id),
    day bigint not null,
    shots bigint not null,
    cost bigint not null,
    primary key (token, day)
);
create index token_day_by_time on token_day (day);
-- Jobs that a person is asked to confirm. `digest` is of all that an answer is bound to, `program` the
-- beginning of the program, and `answered_by` the token that answered, empty for a session.
create table confirmation (
    id text primary key not null,
    token text not null references token (id),
    account text not null references account (id),
    digest {blob} not null,
    device text not null,
    name text not null,
    format text not null,
    program text not null,
    shots bigint not null,
    cost bigint,
    asked_at bigint not null,
    answered_at bigint,
    answered_by text,
    is_confirmed integer,
    used_at bigint
);
create index confirmation_by_token on confirmation (token, digest);
create index confirmation_by_account on confirmation (account, asked_at);
create index confirmation_by_time on confirmation (asked_at);
