-- What jobs have used, by the day of their end: of all jobs, not only of those that were deleted. So
-- the sums of a million jobs are read from a few rows.
alter table deleted_use rename to daily_use;
drop index deleted_use_by_day;
create index daily_use_by_day on daily_use (day);
insert into daily_use (project, device, day, jobs, shots, us, cost)
select project, device, day, count(*), sum(shots), sum(us), sum(cost)
from (
    -- Jobs that ended before 0019 have no settled numbers.
    select
        project, device, ended_at - ended_at % 86400000 as day,
        coalesce(used_shots, case when state = 'completed'
            then cast(shots as bigint) * n_circuits else 0 end) as shots,
        coalesce(used_us, case when state = 'completed'
            then 1000 * (ended_at - started_at) else 0 end) as us,
        coalesce(cost, 0) as cost
    from job
    where ended_at is not null
) as job_use
where shots > 0 or us > 0
group by project, device, day
on conflict (project, device, day) do update set
    jobs = daily_use.jobs + excluded.jobs, shots = daily_use.shots + excluded.shots,
    us = daily_use.us + excluded.us, cost = daily_use.cost + excluded.cost;

-- Clients may set limits above 31 bits, which SQLite's integers hold.
{only_postgres}alter table "group" alter column jobs_limit type bigint;
