-- The job and the account of Slurm under which a job's client ran, as the client said.
alter table job add column slurm_job text;
alter table job add column slurm_account text;

-- The part of account_use whose clients named a job or an account of Slurm.
create table slurm_use (
    project text not null references project (id),
    device text not null,
    day bigint not null,
    account text not null references account (id),
    slurm_account text not null,
    slurm_job text not null,
    jobs bigint not null,
    shots bigint not null,
    us bigint not null,
    cost bigint not null,
    primary key (project, device, day, account, slurm_account, slurm_job)
);
create index slurm_use_by_day on slurm_use (day);
