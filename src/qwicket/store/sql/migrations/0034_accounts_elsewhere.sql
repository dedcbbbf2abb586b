-- The account at another cloud to which a job was sent: where its absence counts.
alter table forward add column sent_to text not null default '';
