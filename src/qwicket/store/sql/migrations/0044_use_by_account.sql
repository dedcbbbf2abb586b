-- What jobs have used, by the account that submitted them and the day of their end. Before it,
-- daily_use has the sums without the account; older servers still add to them.
create table account_use (
    project text not null references project (id),
    device text not null,
    day bigint not null,
    account text not null references account (id),
    jobs bigint not null,
    shots bigint not null,
    us bigint not null,
    cost bigint not null,
    primary key (project, device, day, account)
);
create index account_use_by_day on account_use (day);
