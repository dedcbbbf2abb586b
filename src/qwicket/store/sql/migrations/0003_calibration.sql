-- Calibrations of devices. Numbers rise per device; the highest valid one is current.
create table calibration (
    id text primary key,
    device text not null references device (name),
    number integer not null,
    valid_from bigint not null,
    body text not null,
    unique (device, number)
);
