-- Unix milliseconds of the claim: a job counts at most the time for which its runner held it.
alter table lease add column claimed_at bigint;
