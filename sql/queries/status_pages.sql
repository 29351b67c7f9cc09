-- How many pages a table has of which a sample is read.
SELECT pg_relation_size(to_regclass($1::text)) / 8192 AS pages;
