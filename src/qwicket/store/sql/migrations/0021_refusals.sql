-- Refused sign-ins by minute and address; few rows a minute, kept for some days.
create table sign_in_refusal (
    minute bigint not null,
    address text not null,
    number bigint not null,
    primary key (minute, address)
);
