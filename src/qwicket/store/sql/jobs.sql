-- Jobs. Each change of state names the states from which it is allowed. {before:…} and {after:…}
-- are filled in from model/states.py, so that the SQL and the diagram cannot disagree.

-- name: job_add
-- Adds nothing if the project has reached its limit of waiting jobs, or the account the one of a member
-- beside others, unless the new job has failed already and so does not wait; nor for a reader of the
-- project. Creation times and changes of one account rise strictly.
-- If a runner has offered to take the job, which is tiny, it is claimed at once: then it was queued as
-- version 1 in the change before. Not if another job waits for the device, the device is off, a
-- reservation or maintenance window holds it (the longest run of a tiny job counts twice, as in
-- may_start), or the project has a budget. Indexes
-- job_by_account, job_by_change, share_next. Returns what the caller does not know.
insert into job (
    id, account, project, device, dialect, "group", state, version, name, tags, shots, n_circuits,
    n_qubits, n_ops_1q, n_ops_2q, est_bytes, est_seconds, priority, attempts, calibration, change,
    created_at, queued_at, started_at, ended_at, expires_at, error_code, error_text, runner, express,
    bill, cost, used_shots, withheld_until, slurm_job, slurm_account,
    choice
)
select
    :id, :account, :project, :device, :dialect, :group,
    case made.is_taken when 1 then {after:start} else :state end, 1 + made.is_taken,
    :name, :tags, :shots, :n_circuits, :n_qubits, :n_ops_1q, :n_ops_2q, :est_bytes, :est_seconds,
    :priority, 0, :calibration, made.change + made.is_taken, made.at,
    case when cast(:state as text) = 'queued' then made.at end,
    case made.is_taken when 1 then made.at end,
    case when cast(:state as text) = 'failed' then made.at end,
    :expires_at, :error_code, :error_text, case made.is_taken when 1 then :runner end, :express,
    :bill, :cost, :used_shots, :withheld_until, :slurm_job, :slurm_account,
    :choice
from (
    select
        {greatest}(:now, last_created_at + 1, coalesce(
            (select created_at + 1 from job where account = :account order by seq desc limit 1), 0
        )) as at,
        {greatest}(:now_us, last_change + 1, coalesce(
            (select max(change) + 1 from job where account = :account), 0
        )) as change,
        case
            when cast(:runner as text) is null then 0
            when exists (select 1 from share where share.device = :device and has_work = 1) then 0
            when exists (
                select 1 from device_state
                where device_state.device = :device and is_on = 0
                    and (until_at is null or until_at > :now)
            ) then 0
            when exists (
                select 1 from reservation_device as covered
                inner join reservation on reservation.id = covered.reservation
                where covered.device = :device and covered.until_at > :now
                    and reservation.from_at
                        <= cast(:now as bigint) + {tiny_ms} + {greatest}({tiny_ms}, reservation.drain_ms)
            ) then 0
            when exists (
                select 1 from budget where project in ({charged}) and budget.device in ('', :device)
            ) then 0
            when exists (
                select 1 from member_budget
                where project in ({charged}) and member_budget.account in ('', :account)
                    and member_budget.device in ('', :device)
            ) then 0
            else 1
        end as is_taken
    from account where id = :account
) as made
where cast(:state as text) = 'failed' or (
    :waiting_limit > coalesce(
        (select number from waiting_jobs where project = :project and waiting_jobs.account = ''), 0
    )
    and not exists (
        select 1 from member
        where member.account = :account and member.project = :project and role = 'reader'
    )
    and (
        :member_limit > coalesce((
            select number from waiting_jobs
            where project = :project and waiting_jobs.account = :account
        ), 0)
        or not exists (
            select 1 from member where member.project = :project and member.account <> :account
        )
    )
)
returning seq, version, change, created_at, state <> 'running' and {has_budget};

-- name: member_reads
select 1 from member where account = :account and project = :project and role = 'reader';

-- name: project_has_room
-- A row if fewer of a project's jobs wait than a limit; primary key.
select 1 where :limit > coalesce(
    (select number from waiting_jobs where project = :id and account = ''), 0
);

-- name: project_store_bytes
-- Changes nothing if the sum would exceed the project's limit; what becomes smaller never does.
update project set stored_bytes = stored_bytes + :bytes
where id = :project and (:bytes <= 0 or stored_bytes + :bytes <= :maximum)
returning stored_bytes;

-- name: project_add_bytes
update project set stored_bytes = {greatest}(0, stored_bytes + :bytes) where id = :project;

-- name: member_store_bytes
-- Like project_store_bytes, for an account in a project. Its limit applies beside other members.
insert into member_bytes (project, account, bytes)
select :project, :account, {greatest}(0, cast(:bytes as bigint))
where cast(:bytes as bigint) <= cast(:maximum as bigint)
    or not exists (
        select 1 from member where member.project = :project and member.account <> :account
    )
on conflict (project, account) do update
set bytes = {greatest}(0, member_bytes.bytes + cast(:bytes as bigint))
where cast(:bytes as bigint) <= 0
    or member_bytes.bytes + cast(:bytes as bigint) <= cast(:maximum as bigint)
    or not exists (
        select 1 from member where member.project = :project and member.account <> :account
    )
returning bytes;

-- name: member_add_bytes
insert into member_bytes (project, account, bytes)
values (:project, :account, {greatest}(0, cast(:bytes as bigint)))
on conflict (project, account) do update
set bytes = {greatest}(0, member_bytes.bytes + cast(:bytes as bigint));

-- name: job_admit
update job set
    state = {after:admit}, version = version + 1, change = {next_change},
    queued_at = {greatest}(:now, created_at),
    expires_at = null, shots = :shots, n_circuits = :n_circuits, n_qubits = :n_qubits,
    n_ops_1q = :n_ops_1q, n_ops_2q = :n_ops_2q, est_bytes = :est_bytes,
    est_seconds = :est_seconds, calibration = :calibration, express = :express, bill = :bill,
    cost = :cost, withheld_until = :withheld_until
where id = :job and {before:admit}
returning {job}, {has_budget};

-- name: program_add
insert into program (job, format, source, inputs, circuits, options, reader_version)
values (:id, :format, :source, :inputs, :circuits, :options, :reader_version);

-- name: program_get
select format, source from program where job = :id;

-- name: program_submitted
select format, source, inputs, options from program where job = :id;

-- name: program_circuits
select circuits from program where job = :id;

-- name: vendor_fields_add
insert into job_vendor_fields (job, body) values (:id, :vendor_fields);

-- name: job_get
select {shown_job} from job where id = :id;

-- name: job_visible
-- A job that this account may read: its own, one of its projects' or, for a lead, of those
-- below them, or one that is shared with it.
-- Primary and unique keys only; for the account's own job, only the first key is read.
select {shown_job} from job
where id = :id
    and (
        account = :account
        or project in (select project from member where member.account = :account)
        or exists (
            select 1 from project_above
            inner join member on member.project = project_above.above
            where project_above.project = job.project and member.account = :account
                and member.role = 'lead'
        )
        or exists (
            select 1 from job_share
            where job_share.job = job.id and job_share.account = :account
        )
    );

-- name: job_visible_with_vendor_fields
-- Like job_visible, with the vendor fields.
select {shown_job}, (select body from job_vendor_fields where job_vendor_fields.job = job.id) from job
where id = :id
    and (
        account = :account
        or project in (select project from member where member.account = :account)
        or exists (
            select 1 from project_above
            inner join member on member.project = project_above.above
            where project_above.project = job.project and member.account = :account
                and member.role = 'lead'
        )
        or exists (
            select 1 from job_share
            where job_share.job = job.id and job_share.account = :account
        )
    );

-- name: job_waiting_list
-- Waiting jobs of a device, ordered within each project, with their account's turn in the express
-- slot; index job_to_claim.
select {waiting_job} from job
inner join account on account.id = job.account
where job.device = :device and job.state = 'queued' and job.held_by is null
order by job.project, job.priority desc, job.seq
limit :limit;

-- name: job_waiting_list_of_member
-- Like job_waiting_list, of one member of a project; index job_to_claim_of_member.
select {waiting_job} from job
inner join account on account.id = job.account
where job.device = :device and job.project = :project and job.account = :account
    and job.state = 'queued' and job.held_by is null
order by job.priority desc, job.seq
limit :limit;

-- name: job_count_by_member
-- Numbers of a device's waiting jobs by project and account; index job_to_claim_of_member.
select project, account, count(*) from job
where device = :device and state = 'queued' and held_by is null
group by project, account;

-- name: job_rank
-- How many jobs of the same member wait before a job; index job_to_claim_of_member.
select count(*) from job
where device = :device and project = :project and account = :account
    and state = 'queued' and held_by is null
    and priority >= :priority and (priority > :priority or seq < :seq);

-- name: job_may_start
-- A row if no reservation or maintenance window keeps a job from starting, as claims ask.
select 1 from job where id = :id and {may_start:job};

-- name: job_running_list
-- Running jobs of a device; index job_begun.
select id, est_seconds, started_at, project, priority, queued_at from job
where device = :device and state in ('running', 'cancelling', 'uncertain');

-- name: job_completed_list
-- The jobs that completed last; index job_completed.
select est_seconds, started_at, ended_at, project, priority, queued_at from job
where device = :device and state = 'completed'
order by ended_at desc
limit :limit;

-- name: job_completed_by_hour
-- sorts: few rows
-- Of the jobs that completed last, up to a limit; index job_completed, which has all that it reads.
select hour, count(*) from (
    select ended_at - ended_at % 3600000 as hour from job
    where device = :device and state = 'completed' and ended_at >= :since
    order by ended_at desc
    limit :limit
) as found
group by 1;

-- name: job_list
-- Newest first between two `seq`; index job_by_account, which also contains device and project.
select {shown_job} from job
where account = :account and seq > :after and seq < :before and {list_filter}
order by seq desc
limit :limit;

-- name: job_list_of_all
-- Newest first between two `seq`, of all accounts; by the primary key.
select {shown_job} from job
where seq > :after and seq < :before and {filter_of_all}
order by seq desc
limit :limit;

-- name: job_list_of_project
-- Like job_list_of_all, of one project; index job_by_project.
select {shown_job} from job
where project = :project and seq > :after and seq < :before and {filter_of_all}
order by seq desc
limit :limit;

-- name: job_list_not_ended
-- Like job_list; index job_not_ended.
select {shown_job} from job
{only_sqlite}indexed by job_not_ended
where {not_ended} and account = :account and seq > :after and seq < :before and {list_filter}
order by seq desc
limit :limit;

-- name: job_list_not_completed
-- Like job_list; index job_not_completed.
select {shown_job} from job
{only_sqlite}indexed by job_not_completed
where {not_completed} and account = :account and seq > :after and seq < :before and {list_filter}
order by seq desc
limit :limit;

-- name: job_list_withheld
-- sorts: few rows
-- Like job_list, of the jobs that seem to run until an exam ends; index job_withheld.
select {shown_job} from job
{only_sqlite}indexed by job_withheld
where {is_withheld} and account = :account and seq > :after and seq < :before and {list_filter}
order by seq desc
limit :limit;

-- name: job_list_of_all_withheld
-- sorts: few rows
-- Like job_list_of_all, of the jobs that seem to run until an exam ends; index job_withheld.
select {shown_job} from job
{only_sqlite}indexed by job_withheld
where {is_withheld} and seq > :after and seq < :before and {filter_of_all}
order by seq desc
limit :limit;

-- name: job_list_of_all_not_ended
-- Like job_list_of_all; index job_not_ended.
select {shown_job} from job
{only_sqlite}indexed by job_not_ended
where {not_ended} and seq > :after and seq < :before and {filter_of_all}
order by seq desc
limit :limit;

-- name: job_list_of_all_not_completed
-- Like job_list_of_all; index job_not_completed.
select {shown_job} from job
{only_sqlite}indexed by job_not_completed
where {not_completed} and seq > :after and seq < :before and {filter_of_all}
order by seq desc
limit :limit;

-- name: job_list_labelled
-- Like job_list, for a tag or a name; primary key of job_label. SQLite keeps the order of a cross join.
select {shown_job} from job_label cross join job
where
    job_label.label = cast(:label as text) and job_label.account = :account
    and job_label.seq > :after and job_label.seq < :before and job.seq = job_label.seq and {list_filter}
order by job_label.seq desc
limit :limit;

-- name: job_list_of_all_labelled
-- Like job_list_of_all, for a tag or a name; primary key of job_label.
select {shown_job} from job_label cross join job
where
    job_label.label = cast(:label as text)
    and job_label.seq > :after and job_label.seq < :before and job.seq = job_label.seq
    and {filter_of_all}
order by job_label.seq desc
limit :limit;

-- name: job_list_of_group
-- Like job_list, for one group; index job_by_group.
select {shown_job} from job
{only_sqlite}indexed by job_by_group
where "group" = :group and account = :account and seq > :after and seq < :before and {list_filter}
order by seq desc
limit :limit;

-- name: job_changed_list
-- In the order of their changes; index job_by_change.
select {shown_job} from job
where account = :account and change > :change and {allowed}
order by change
limit :limit;

-- name: job_last_change
-- Index job_by_change.
select change from job where account = :account and {allowed} order by change desc limit 1;

-- name: job_last_seq
-- Index job_by_account.
select max(seq) from job where account = :account;

-- name: job_bound_of_account
-- The oldest of an account's jobs that a search for a text reads; index job_by_account.
select min(seq) from (
    select seq from job where account = :account and seq < :before order by seq desc limit :searched
) as found;

-- name: job_bound_of_project
-- Like job_bound_of_account, of a project; index job_by_project.
select min(seq) from (
    select seq from job where project = :project order by seq desc limit :searched
) as found;

-- name: job_bound_of_all
-- Like job_bound_of_account, of all accounts; primary key.
select max(seq) - :searched from job;

-- name: job_made_after
-- Creation time of an account's first job above a `seq`; index job_by_account.
select seq, created_at from job where account = :account and seq > :seq order by seq limit 1;

-- name: job_list_of_dialect
-- Like job_list, for a vendor's dialect; index job_by_dialect.
select {shown_job} from job
{only_sqlite}indexed by job_by_dialect
where account = :account and dialect = :dialect and seq > :after and seq < :before
    and {list_filter} and created_at >= :since and created_at <= :until
order by seq desc
limit :limit;

-- name: job_list_of_dialect_with_vendor_fields
-- Like job_list_of_dialect, with the vendor fields; index job_by_dialect.
select {shown_job}, (select body from job_vendor_fields where job_vendor_fields.job = job.id) from job
{only_sqlite}indexed by job_by_dialect
where account = :account and dialect = :dialect and seq > :after and seq < :before
    and {list_filter} and created_at >= :since and created_at <= :until
order by seq desc
limit :limit;

-- name: job_set_name_and_tags
-- A null parameter leaves its column unchanged.
update job set
    name = coalesce(cast(:name as text), name), tags = coalesce(cast(:tags as text), tags),
    version = version + 1, change = {next_change}
where id = :job
returning {job};

-- name: job_sizes
-- Size of a job's program and of its results; primary keys only.
select
    coalesce((select length(source) from program where job = :id), 0),
    cast(coalesce((
        select sum(coalesce(length(outcome.body), (
            select sum(length(blob.bytes)) from blob where blob.sha256 = outcome.sha256
        ), 0))
        from outcome where outcome.job = :id and {are_shown}
    ), 0) as bigint);

-- name: job_unfinished
-- Jobs of a project on a device, counted up to a limit; indexes job_waiting and job_begun.
select (
    select count(*) from (
        select 1 from job
        where project = :project and device = :device and state in ('draft', 'queued')
        limit :limit
    ) as waiting
) + (
    select count(*) from job
    {only_sqlite}indexed by job_begun
    where device = :device and project = :project
        and state in ('running', 'cancelling', 'uncertain')
);

-- name: job_waiting_of_account
-- Waiting jobs of an account for a project on a device, counted up to twice a limit; indexes
-- job_to_claim_of_member and job_held.
select (
    select count(*) from (
        select 1 from job
        where device = :device and project = :project and account = :account
            and state = 'queued' and held_by is null
        limit :limit
    ) as waiting
) + (
    select count(*) from (
        select 1 from job
        where device = :device and project = :project and account = :account
            and state = 'queued' and held_by is not null
        limit :limit
    ) as waiting
);

-- name: job_depth
-- Numbers of waiting and of claimed jobs of a device; indexes job_to_claim and job_begun.
select (
    select count(*) from job
    where device = :device and state = 'queued' and held_by is null
), (
    select count(*) from job
    where device = :device and state in ('running', 'cancelling', 'uncertain')
);

-- name: job_without_slurm
-- Number of a device's jobs that wait or run and whose clients named no job of Slurm, waiting ones up
-- to a limit; indexes job_to_claim and job_begun.
select (
    select count(*) from (
        select 1 from job
        where device = :device and state = 'queued' and held_by is null and slurm_job is null
        limit :limit
    ) as waiting
) + (
    select count(*) from job
    where device = :device and state in ('running', 'cancelling', 'uncertain')
        and slurm_job is null
);

-- name: job_waiting_work
-- Number of the next waiting jobs of a device, and their estimates; index job_to_claim.
select count(*), coalesce(sum(est_seconds), 0)
from (
    select est_seconds from job
    where device = :device and state = 'queued' and held_by is null
        and est_bytes <= :memory_bytes and est_bytes > :above_bytes and {takes:job}
    limit :maximum
) as waiting;

-- name: vendor_fields_put
insert into job_vendor_fields (job, body) values (:id, :vendor_fields)
on conflict (job) do update set body = excluded.body;

-- name: job_search
-- Newest first, from an offset; index job_by_dialect.
select {shown_job} from job where {search_filter} order by seq desc limit :limit offset :offset;

-- name: job_run_ms
-- Total run time of the ended jobs that a search finds; index job_by_dialect.
select cast(coalesce(sum({shown_end} - started_at), 0) as bigint) from job
where {search_filter} and started_at is not null;

-- name: job_tally
-- sorts: few rows
-- Number of jobs by state that a search finds; index job_by_dialect.
select {shown_state}, count(*) from job where {search_filter} group by 1;

-- name: job_by_prefix
-- Up to two jobs whose ids are within bounds; the unique index on id.
select {shown_job} from job
where id >= :low and id <= :high and account = :account and {allowed}
limit 2;

-- name: vendor_fields_get
select body from job_vendor_fields where job = :id;

-- name: outcome_list
select part, body, sha256, error_code, error_text from outcome
where job = :id and {are_shown} order by part;

-- name: outcome_get
select part, body, sha256, error_code, error_text from outcome
where job = :id and part = :part and {are_shown};

-- name: outcome_range
-- Primary key.
select part, body, sha256, error_code, error_text from outcome
where job = :id and part >= :part and part < :before and {are_shown} order by part;

-- name: outcome_add
insert into outcome (job, part, body, sha256, error_code, error_text)
values (:job, :part, :body, :sha256, :error_code, :error_text);

-- name: blob_get
select bytes from blob where sha256 = :sha256 order by part;

-- name: blob_size
select coalesce(sum(length(bytes)), 0) from blob where sha256 = :sha256;

-- name: blob_add
insert into blob (sha256, part, bytes) values (:sha256, :part, :bytes) on conflict do nothing;

-- name: event_add
insert into job_event (job, version, at, "from", "to", actor, reason)
values (:job, :version, :now, :from, :to, :actor, :reason);

-- name: event_trim
-- Keeps the first and the last events of a job; primary key.
delete from job_event
where job = :job
and version > (
    select version from job_event where job = :job order by version limit 1 offset :first - 1
)
and version <= (
    select version from job_event where job = :job order by version desc limit 1 offset :last
);

-- name: event_list
select version, at, "from", "to", actor, reason from job_event where job = :id order by version;

-- name: job_withdraw
update job set
    state = {after:withdraw}, version = version + 1, change = {next_change}, ended_at = {end}
where id = :job and {before:withdraw}
returning {job};

-- name: job_ask_cancel
update job set state = {after:ask_cancel}, version = version + 1, change = {next_change}
where id = :job and {before:ask_cancel}
returning {job};

-- name: job_hold
-- An administrator's hold replaces that of the owner.
update job set held_by = :by, version = version + 1, change = {next_change}
where id = :job and state = 'queued'
    and (held_by is null or (held_by = 'owner' and cast(:by as text) = 'admin'))
returning {job};

-- name: job_unhold
update job set held_by = null, version = version + 1, change = {next_change}
where id = :job and state = 'queued' and held_by is not null
    and (held_by = 'owner' or cast(:by as text) = 'admin')
returning {job};

-- name: job_prioritize
update job set priority = :priority, version = version + 1, change = {next_change}
where id = :job and state = 'queued' and priority <> :priority
returning {job};

-- name: idempotency_get
select digest, job, made_at from idempotency
where account = :account and dialect = :dialect and key = :key;

-- name: idempotency_put
insert into idempotency (account, dialect, key, digest, job, made_at)
values (:account, :dialect, :key, :digest, :job, :now)
on conflict (account, dialect, key) do update
set digest = excluded.digest, job = excluded.job, made_at = excluded.made_at;

-- name: idempotency_of
-- Index idempotency_by_age: a key is made with its job, whose id has the time.
select key from idempotency where made_at = :made_at and job = :job;

-- name: idempotency_forget
-- Primary key.
delete from idempotency
where account = :account and dialect = :dialect and key = :key and job = :job;

-- name: program_packed
-- Primary keys.
select job.device, program.circuits, program.options
from program
inner join job on job.id = program.job
where program.job = :job;
