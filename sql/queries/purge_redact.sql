-- Takes $4 out of the rows of the table $1 from block $2, $3 blocks of it; how many had it.
SELECT redact_blocks($1::text, $2::bigint, $3::bigint, $4::text[]) AS n;
