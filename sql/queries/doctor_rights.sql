-- What the role may not do in the schema $1 that a worker has to; $2 are our tables.
SELECT 'schema ' || n.nspname AS object, 'USAGE' AS rights FROM pg_namespace AS n WHERE n.nspname = $1::text AND NOT has_schema_privilege(n.oid, 'USAGE')
UNION ALL
SELECT 'table ' || c.relname, string_agg(r.name, ', ' ORDER BY r.i)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) WITH ORDINALITY AS r(name, i)
WHERE n.nspname = $1::text AND c.relname = ANY ($2::text[]) AND NOT has_table_privilege(c.oid, r.name)
  AND c.relkind IN ('r', 'p') AND (r.name = 'SELECT' OR c.relname NOT IN ('schema_migrations', 'schema_objects'))
GROUP BY c.relname
UNION ALL
-- Ours, if the schema can be looked at.
SELECT 'function ' || p.proname, 'EXECUTE'
FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname = $1::text AND obj_description(p.oid, 'pg_proc') LIKE 'Internal: %' AND p.prorettype <> 'trigger'::regtype
  AND NOT has_function_privilege(p.oid, 'EXECUTE')
ORDER BY 1;
