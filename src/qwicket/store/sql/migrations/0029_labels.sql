-- Jobs with a tag or a name are found without reading the others. A job without both has no row here
-- and no cost. Triggers keep the table for servers of the former version, too. `seq` comes
-- before the account, so that jobs of all accounts are in order. Index entries of PostgreSQL have at
-- most 2,704 bytes, so longer texts are cut. An index on `job.name` would do, but
-- PostgreSQL then sorts all that match. Plans of a function are kept: one made when the table was
-- small would read all of it.
create table job_label (
    label text not null,
    seq bigint not null,
    account text not null,
    primary key (label, seq, account)
)
{only_sqlite}without rowid
;
insert into job_label (label, seq, account)
select distinct 'tag:' || substr(borne.value, 1, 255), job.seq, job.account from job, {each_tag}
where job.tags <> '[]';
insert into job_label (label, seq, account)
select 'name:' || substr(name, 1, 255), seq, account from job where name <> '';

{only_sqlite}create trigger job_label_added after insert on job
{only_sqlite}when new.tags <> '[]' or new.name <> ''
{only_sqlite}begin
{only_sqlite}insert into job_label (label, seq, account)
{only_sqlite}select 'tag:' || substr(value, 1, 255), new.seq, new.account from json_each(new.tags)
{only_sqlite}union select 'name:' || substr(new.name, 1, 255), new.seq, new.account where new.name <> '';
{only_sqlite}end;
{only_sqlite}create trigger job_label_changed after update of tags, name on job
{only_sqlite}when new.tags <> old.tags or new.name <> old.name
{only_sqlite}begin
{only_sqlite}delete from job_label where seq = old.seq and account = old.account and label in (
{only_sqlite}select 'tag:' || substr(value, 1, 255) from json_each(old.tags)
{only_sqlite}union all select 'name:' || substr(old.name, 1, 255));
{only_sqlite}insert into job_label (label, seq, account)
{only_sqlite}select 'tag:' || substr(value, 1, 255), new.seq, new.account from json_each(new.tags)
{only_sqlite}union select 'name:' || substr(new.name, 1, 255), new.seq, new.account where new.name <> '';
{only_sqlite}end;
{only_sqlite}create trigger job_label_removed after delete on job
{only_sqlite}when old.tags <> '[]' or old.name <> ''
{only_sqlite}begin
{only_sqlite}delete from job_label where seq = old.seq and account = old.account and label in (
{only_sqlite}select 'tag:' || substr(value, 1, 255) from json_each(old.tags)
{only_sqlite}union all select 'name:' || substr(old.name, 1, 255));
{only_sqlite}end;
{only_postgres}create function qwicket_label_job() returns trigger language plpgsql
{only_postgres}set enable_seqscan = off as $$
{only_postgres}declare
{only_postgres}each_label text;
{only_postgres}begin
{only_postgres}if tg_op <> 'INSERT' then
{only_postgres}for each_label in select 'tag:' || substr(value, 1, 255)
{only_postgres}from jsonb_array_elements_text(old.tags::jsonb)
{only_postgres}union all select 'name:' || substr(old.name, 1, 255) loop
{only_postgres}delete from job_label
{only_postgres}where label = each_label and seq = old.seq and account = old.account;
{only_postgres}end loop;
{only_postgres}end if;
{only_postgres}if tg_op <> 'DELETE' then
{only_postgres}insert into job_label (label, seq, account)
{only_postgres}select 'tag:' || substr(value, 1, 255), new.seq, new.account
{only_postgres}from jsonb_array_elements_text(new.tags::jsonb)
{only_postgres}union select 'name:' || substr(new.name, 1, 255), new.seq, new.account where new.name <> '';
{only_postgres}end if;
{only_postgres}return null;
{only_postgres}end
{only_postgres}$$;
{only_postgres}create trigger job_label_added after insert on job
{only_postgres}for each row when (new.tags <> '[]' or new.name <> '') execute function qwicket_label_job();
{only_postgres}create trigger job_label_changed after update of tags, name on job
{only_postgres}for each row when (new.tags <> old.tags or new.name <> old.name)
{only_postgres}execute function qwicket_label_job();
{only_postgres}create trigger job_label_removed after delete on job
{only_postgres}for each row when (old.tags <> '[]' or old.name <> '') execute function qwicket_label_job();
