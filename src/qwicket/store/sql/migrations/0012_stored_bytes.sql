-- Size of each project's programs and results: a running sum, updated by each operation that stores
-- or deletes them.
alter table project add column stored_bytes bigint not null default 0;
update project set stored_bytes = found.bytes
from (
    select owner.id as id, cast(coalesce(sum(
        coalesce((select length(source) + length(circuits) from program
            where program.job = job.id), 0)
        + coalesce((select sum(coalesce(length(outcome.body), (
                select sum(length(blob.bytes)) from blob where blob.sha256 = outcome.sha256
            ), 0))
            from outcome where outcome.job = job.id), 0)
    ), 0) as bigint) as bytes
    from project as owner left join job on job.project = owner.id
    group by owner.id
) as found
where found.id = project.id and project.stored_bytes <> found.bytes;
