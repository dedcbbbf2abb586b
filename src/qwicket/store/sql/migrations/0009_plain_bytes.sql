-- Bytes are stored uncompressed: results are compressed already, and compressing a program takes
-- PostgreSQL longer than writing it.
{only_postgres}alter table program alter column source set storage external;
{only_postgres}alter table program alter column circuits set storage external;
{only_postgres}alter table outcome alter column body set storage external;
{only_postgres}alter table blob alter column bytes set storage external;
{only_postgres}alter table upload_piece alter column bytes set storage external;
