-- What was measured of devices. Numbers count up per device: what was learnt last counts.
create table calibration (
    id text primary key,
    device text not null references device (name),
    number integer not null,
    valid_from bigint not null,
    body text not null,
    unique (device, number)
);
