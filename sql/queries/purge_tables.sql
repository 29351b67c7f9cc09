-- The tables to look through, and how many rows of each are some 4 MB. Not those that somebody else made in our schema.
SELECT c.relname::text AS relation, c.relname = ANY (own_tables()) AS is_ours,
       CASE WHEN c.reltuples > 0 THEN least(5000, greatest(1, 4194304 / (pg_table_size(c.oid) / c.reltuples + 1)))::bigint ELSE 100 END AS most
FROM pg_class AS c
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relname <> 'purge_needles'
ORDER BY c.relname;
