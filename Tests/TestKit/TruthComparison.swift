package import Postgres
package import Simulator

/// Compares everything that a database holds of some engagements with the simulator's truth.
package struct TruthComparison: Sendable {
    /// What the database may hold beside the truth.
    package enum Beside: Sendable {
        case nothing
        /// Contacts and the like that no engagement shows any more keep their row.
        case history
        /// Other engagements, with all that is theirs.
        case others
    }

    private let truth: [SimEngagement]
    private let beside: Beside

    package init(_ truth: [SimEngagement], beside: Beside = .nothing) {
        self.truth = truth
        self.beside = beside
    }

    /// In words, the first few of each table that differ; none when all is as it should be.
    package func differences(in database: TestDatabase) async throws -> [String] {
        try await differences { try await database.run($0) }
    }

    /// The same by whatever runs SQL.
    package func differences(by run: (String) async throws -> [Row]) async throws -> [String] {
        var found: [String] = []
        let ours = Set(truth.map(\.id))
        for (expected, sql, isShared) in tables {
            var actual = try TruthTable(like: expected, rows: try await run(sql))
            if beside != .nothing, isShared {
                actual = actual.restricted { expected.keys.contains($0) }
            } else if beside == .others {
                // Whatever there is of ours, also what should not be: a key begins with the engagement's id.
                actual = actual.restricted { ours.contains(String($0.prefix { $0 != " " })) }
            }
            found += expected.differences(from: actual)
        }
        return try await found + associations(by: run)
    }

    private typealias Comparison = (expected: TruthTable, sql: String, isShared: Bool)

    private var tables: [Comparison] {
        [
            table("engagements", "id", TruthColumns.engagement, truth.map { ($0.id, $0) }),
            shared("contacts", TruthColumns.contact, truth.flatMap(\.contacts).map { ($0.id, $0) }),
            shared("companies", TruthColumns.company, truth.flatMap(\.companies).map { ($0.id, $0) }),
            shared("users", TruthColumns.user, truth.compactMap(\.owner).map { ($0.id, $0) }),
            shared("tags", TruthColumns.tag, truth.flatMap(\.tags).map { ($0.id, $0) }),
            links("engagement_contacts", "contact_id") { $0.contacts.map(\.id) },
            links("engagement_companies", "company_id") { $0.companies.map(\.id) },
            links("engagement_tags", "tag_id") { $0.tags.map(\.id) },
            items("engagement_action_items", TruthColumns.actionItem, \.actionItems),
            items("engagement_signals", TruthColumns.signal, \.signals),
            table(
                "engagement_transcripts", "engagement_id", [.init("transcript", \.self)],
                truth.compactMap { engagement in engagement.transcript.map { (engagement.id, $0) } }),
            table(
                "engagement_media", "engagement_id",
                [.init("media_url", sql: "split_part(media_url, '?', 1)", \.self)],
                truth.compactMap { engagement in engagement.mediaURL.map { (engagement.id, $0) } }),
            table(
                "engagement_gaps", "engagement_id", [.init("gap", sql: "part || ' ' || cause", \.self)],
                truth.filter(\.mayGetTranscript).map { ($0.id, "transcript not_ready") }),
        ]
    }

    private func table<Subject>(
        _ name: String, _ key: String, _ columns: [TruthColumn<Subject>], _ subjects: [(String, Subject)]
    ) -> Comparison {
        var expected = TruthTable(name, columns: columns.map(\.name))
        for (key, subject) in subjects { expected.add(key, columns.map { $0.value(subject) }) }
        let list = columns.enumerated().map { "(\($1.sql))::text AS c\($0)" }.joined(separator: ", ")
        return (expected, "SELECT \(key) AS key\(list.isEmpty ? "" : ", ")\(list) FROM \(name)", false)
    }

    /// A table of what engagements share; the truth has each of them once for each engagement.
    private func shared<Subject>(
        _ name: String, _ columns: [TruthColumn<Subject>], _ subjects: [(String, Subject)]
    ) -> Comparison {
        let once = Dictionary(subjects) { first, _ in first }.map { ($0.key, $0.value) }
        var comparison = table(name, "id", columns, once)
        comparison.isShared = true
        return comparison
    }

    private func links(_ name: String, _ column: String, _ ids: (SimEngagement) -> [String]) -> Comparison {
        let keys = truth.flatMap { engagement in ids(engagement).map { ("\(engagement.id) \($0)", $0) } }
        return table(name, "engagement_id || ' ' || \(column)", [TruthColumn<String>(column, \.self)], keys)
    }

    private func items<Item>(
        _ name: String, _ columns: [TruthColumn<Item>], _ items: (SimEngagement) -> [Item]
    ) -> Comparison {
        let keys = truth.flatMap { engagement in
            items(engagement).enumerated().map { ("\(engagement.id) \($0 + 1)", $1) }
        }
        return table(name, "engagement_id || ' ' || _position", columns, keys)
    }

    /// The open associations of all three kinds of subject.
    private func associations(by run: (String) async throws -> [Row]) async throws -> [String] {
        var expected = TruthTable("crm_associations", columns: ["source", "object_type", "crm_object_id"])
        var subjects: [String: SimCRMAssociation?] = [:]
        for engagement in truth {
            subjects["engagement \(engagement.id)"] = engagement.crmAssociation
            for company in engagement.companies { subjects["company \(company.id)"] = company.crmAssociation }
            for contact in engagement.contacts { subjects["contact \(contact.id)"] = contact.crmAssociation }
        }
        for case (let subject, let association?) in subjects {
            expected.add(subject, [association.source, association.objectType, association.objectID])
        }
        let rows = try await run(
            """
            SELECT subject_type || ' ' || subject_id AS key, source, object_type, crm_object_id
            FROM crm_associations WHERE removed_at IS NULL
            """
        )
        let actual = try TruthTable(like: expected, rows: rows)
        return expected.differences(from: beside == .nothing ? actual : actual.restricted { subjects[$0] != nil })
    }
}

extension SimEngagement {
    /// It has no transcript and has not finished, or is of a kind that is spoken and was not looked at twice since.
    package var mayGetTranscript: Bool {
        transcript == nil && (processingStatus == "PROCESSING" || ["CALL", "MEETING"].contains(engagementType))
    }
}
