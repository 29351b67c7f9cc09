import Postgres

/// Which rows of children and of what engagements share were written since a mark, by their `xmin`.
package struct TruthTouch: Sendable {
    private let database: TestDatabase
    private let query: String

    /// Marks the present state.
    ///
    /// - Parameter includesShared: also contacts, companies, users and tags.
    package init(_ database: TestDatabase, includesShared: Bool) async throws {
        self.database = database
        let shared = ["contacts", "companies", "users", "tags"].map { ($0, "id") }
        let own = [
            ("engagement_contacts", "concat(engagement_id, ' ', contact_id)"),
            ("engagement_companies", "concat(engagement_id, ' ', company_id)"),
            ("engagement_tags", "concat(engagement_id, ' ', tag_id)"),
            ("engagement_action_items", "concat(engagement_id, ' ', id)"),
            ("engagement_signals", "concat(engagement_id, ' ', id)"), ("engagement_transcripts", "engagement_id"),
            ("engagement_gaps", "concat(engagement_id, ' ', part)"), ("crm_associations", "id::text"),
        ]
        query = (own + (includesShared ? shared : [])).map { table, key in
            "SELECT '\(table)' AS place, \(key) AS key, xmin::text AS written FROM \(table)"
        }.joined(separator: " UNION ALL ")
        try await database.run(
            """
            DROP TABLE IF EXISTS touch_mark, touch_engagements;
            CREATE TEMP TABLE touch_mark AS \(query);
            CREATE TEMP TABLE touch_engagements AS SELECT id, _observed_at, _changed_at FROM engagements;
            """
        )
    }

    /// Rows that were inserted, updated or deleted since, the first 20.
    package func touched() async throws -> [String] {
        let rows = try await database.run(
            """
            SELECT concat(place, ' ', key) AS row
            FROM (\(query)) AS now FULL JOIN touch_mark AS before USING (place, key)
            WHERE now.written IS DISTINCT FROM before.written LIMIT 20
            """
        )
        return try rows.map { try $0.text("row") }
    }

    /// How many engagements were not observed again since, or say that they changed.
    package func wronglyTimed() async throws -> Int {
        try await database.count(
            """
            SELECT count(*) FROM engagements AS now JOIN touch_engagements AS before USING (id)
            WHERE now._observed_at <= before._observed_at OR now._changed_at <> before._changed_at
            """
        )
    }
}
