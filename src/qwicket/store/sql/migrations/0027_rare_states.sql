-- Jobs in states that few jobs have are listed without reading the completed ones. `seq` comes first,
-- so that rows are added at one end of an index, and that jobs of all accounts are in their order.
create index job_not_ended on job (seq, account) where {not_ended};
create index job_not_completed on job (seq, account) where {not_completed};
