-- name: job_tally_of_all_dialects
-- Like job_tally, for all dialects; index job_by_account.
select {shown_state}, count(*) from job
where account = :account and created_at >= :since and created_at <= :until and {wished}
group by 1;
