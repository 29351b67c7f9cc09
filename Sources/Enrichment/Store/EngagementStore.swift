package import AskElephant
import Postgres
import SQLText

/// The enriched tables: one call writes a batch of documents and completes their jobs.
package struct EngagementStore: Sendable {
    /// What became of one document.
    struct Written: Sendable {
        enum Outcome: String, Sendable {
            case enriched, unchanged, partial, superseded, refused, suppressed
            case leaseLost = "lease_lost"
        }

        var outcome: Outcome
        /// Why it was refused: an SQLSTATE, `not_an_object`, `other_document` or `not_stored`.
        var refusal: String?
        var missing: [String]
        /// Those of them that the answer left out although they were asked for.
        var withheld: Set<Expand> = []
        /// Queue rows that hung on it and were no longer ours.
        var lost: Set<Int64>
    }

    package let bootID: Int64
    /// The parts that are wanted at all: one that is missing gets a gap.
    package let wanted: [Expand]
    /// Lets documents win against newer stored ones: for a source that was restored from a backup.
    package let force: Bool

    package init(bootID: Int64, wanted: [Expand], force: Bool = false) {
        self.bootID = bootID
        self.wanted = wanted
        self.force = force
    }

    /// Writes the documents in one transaction; the results in their order.
    func ingest(
        _ ready: [ReadyDocument], as write: WriteNumber, on session: Session
    ) async throws(PostgresError) -> [Written] {
        let jobs = ready.enumerated().flatMap { number, ready in
            ready.fetch.jobs.map { (id: $0.id, claims: $0.claims, document: Int64(number + 1)) }
        }
        let rows = try await session.query(
            Statements.engagementIngest,
            [
                .bigint(bootID), .bigints(jobs.map(\.id)), .bigints(jobs.map(\.claims)), .bigints(jobs.map(\.document)),
                .texts(ready.map(\.fetch.engagementID.rawValue)),
                .utf8(ready.map { $0.isNotModified ? nil : $0.document.json }),
                .utf8(ready.map(\.document.transcript)), .texts(ready.map(\.observedAt)),
                .texts(ready.map { $0.asked.map(\.rawValue).joined(separator: ",") }),
                .texts(ready.map(\.document.requestID)), .texts(ready.map(\.document.etag)),
                .texts(ready.map(\.document.apiVersion)), .texts(ready.map { $0.repairs.joined(separator: ",") }),
                .texts(wanted.map(\.rawValue)), .boolean(force), .bigint(write.writer), .bigint(write.number),
            ]
        )
        return try Self.written(rows, of: ready)
    }

    /// What became of the documents if that write was committed, though its answer was lost; nil if it was not.
    func find(
        _ write: WriteNumber, of ready: [ReadyDocument], on session: Session
    ) async throws(PostgresError) -> [Written]? {
        guard try await write.isCommitted(bootID, on: session) else { return nil }
        let rows = try await session.query(Statements.writeDocuments, write.parameters(bootID))
        return try Self.written(rows, of: ready)
    }

    private static func written(_ rows: [Row], of ready: [ReadyDocument]) throws(PostgresError) -> [Written] {
        var written: [Int64: Written] = [:]
        for row in rows { written[try row.integer("document")] = try self.written(row) }
        return try ready.indices.map { index throws(PostgresError) in
            guard let one = written[Int64(index + 1)] else { throw .unexpectedResult(column: "document") }
            return one
        }
    }

    private static func written(_ row: Row) throws(PostgresError) -> Written {
        guard let outcome = Written.Outcome(rawValue: try row.text("outcome")) else {
            throw .unexpectedResult(column: "outcome")
        }
        return Written(
            outcome: outcome,
            refusal: try row.textIfPresent("cause"),
            missing: try row.textIfPresent("missing")?.split(separator: ",").map(String.init) ?? [],
            withheld: Set(
                try row.textIfPresent("withheld")?.split(separator: ",").compactMap { Expand(rawValue: String($0)) }
                    ?? []),
            lost: Set(try row.textIfPresent("lost")?.split(separator: ",").compactMap { Int64($0) } ?? [])
        )
    }
}
