-- Fields that only a vendor's clients need are called vendor fields.
alter table job_wire rename to job_vendor_fields;

-- Names of rows that the server looks up.
update duty set name = 'maintenance' where name = 'chores';
update server_key set name = 'access_tokens' where name = 'passes';
