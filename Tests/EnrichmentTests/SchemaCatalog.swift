import Postgres
import TestKit

/// What a schema consists of, one line a thing, read from the catalog: for comparing two schemas, and for the file in
/// which a change of the schema shows as a difference.
enum SchemaCatalog {
    static func lines(_ database: TestDatabase) async throws -> [String] {
        try await database.run(query).map { try $0.text("line") }
    }

    /// Everything in the first schema of the path but what belongs to something else, such as the types of tables.
    private static let query = """
        WITH here AS (SELECT oid AS ns FROM pg_namespace WHERE nspname = current_schema()),
        relation AS (
            SELECT c.oid, c.relname, c.reloptions, CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' END AS kind
            FROM pg_class AS c, here WHERE c.relnamespace = ns AND c.relkind IN ('r', 'v')
        )
        SELECT regexp_replace(line, '\\s+', ' ', 'g') AS line FROM (
            SELECT kind || ' ' || relname || coalesce(' with ' || array_to_string(reloptions, ', '), '') AS line FROM relation
            UNION ALL
            SELECT kind || ' ' || relname || ' column ' || lpad(a.attnum::text, 2, '0') || ' ' || a.attname || ' '
                   || format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
                   || CASE a.attidentity WHEN 'a' THEN ' identity always' WHEN 'd' THEN ' identity by default' ELSE '' END
                   || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
                   || CASE a.attcompression WHEN 'l' THEN ' lz4' ELSE '' END
            FROM relation AS r JOIN pg_attribute AS a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
            LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
            UNION ALL
            SELECT 'table ' || relname || ' index '
                   || replace(pg_get_indexdef(i.indexrelid), quote_ident(current_schema()) || '.', '')
            FROM relation AS r JOIN pg_index AS i ON i.indrelid = r.oid
            UNION ALL
            SELECT 'table ' || relname || ' constraint ' || k.conname || ' '
                   || replace(pg_get_constraintdef(k.oid), quote_ident(current_schema()) || '.', '')
            FROM relation AS r JOIN pg_constraint AS k ON k.conrelid = r.oid
            UNION ALL
            SELECT 'table ' || relname || ' trigger ' || t.tgname
            FROM relation AS r JOIN pg_trigger AS t ON t.tgrelid = r.oid AND NOT t.tgisinternal
            UNION ALL
            SELECT 'function ' || p.proname || '(' || pg_get_function_arguments(p.oid) || ') returns '
                   || pg_get_function_result(p.oid) || CASE WHEN p.prosecdef THEN ' security definer' ELSE '' END
            FROM pg_proc AS p, here WHERE p.pronamespace = ns
        ) AS things
        ORDER BY line COLLATE "C"
        """
}
