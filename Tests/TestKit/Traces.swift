import Postgres

extension TestDatabase {
    /// Where one of these stands, whatever its case: in any text, JSON or array of the schema's tables, keys among them.
    package func traces(of needles: [String]) async throws -> [String] {
        let columns = try await run(
            """
            SELECT c.table_name, c.column_name FROM information_schema.columns AS c
            JOIN information_schema.tables AS t USING (table_schema, table_name)
            WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE'
              AND c.data_type IN ('text', 'character varying', 'json', 'jsonb', 'ARRAY')
            ORDER BY 1, 2
            """)
        precondition(columns.count > 100, "the schema has more text than that")
        var found: [String] = []
        for column in columns {
            let (table, name) = (try column.text("table_name"), try column.text("column_name"))
            for needle in needles {
                let quoted = needle.lowercased().replacing("'", with: "''")
                let stands = "strpos(lower(\(name)::text), '\(quoted)') > 0"
                if try await count("SELECT count(*) FROM \(table) WHERE \(stands)") > 0 {
                    found.append("\(table).\(name): \(needle)")
                }
            }
        }
        return found
    }
}
