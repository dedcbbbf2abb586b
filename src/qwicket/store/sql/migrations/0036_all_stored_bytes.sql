-- What projects store includes their groups, and of jobs also names, tags, options, vendor fields,
-- events, refused circuits, responses of devices' own servers, and a fixed number for rows.
update project set stored_bytes = found.bytes
from (
    select owner.id as id, cast(coalesce(sum(used.bytes), 0) as bigint) as bytes
    from project as owner
    left join (
        select project, 1000 + {bytes:job.name} + {bytes:job.tags}
            + coalesce((select length(source) + length(circuits) + length(options) from program
                where program.job = job.id), 0)
            + coalesce((select length(body) from job_vendor_fields
                where job_vendor_fields.job = job.id), 0)
            + coalesce((select length(response) from forward where forward.job = job.id), 0)
            + 200 * (select count(*) from job_event where job_event.job = job.id)
            + coalesce((select sum(coalesce(length(outcome.body), (
                    select sum(length(blob.bytes)) from blob where blob.sha256 = outcome.sha256
                ), {bytes:outcome.error_text}, 0))
                from outcome where outcome.job = job.id), 0) as bytes
        from job
        union all
        select project, 1000 + {bytes:"group".name} + length("group".body) as bytes
        from "group"
    ) as used on used.project = owner.id
    group by owner.id
) as found
where found.id = project.id and project.stored_bytes <> found.bytes;
