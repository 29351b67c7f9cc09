import AskElephant
import Postgres
import SQLText

/// What a dry run reads of the database. Nothing here writes.
struct DryRunStore: Sendable {
    /// What the function that decides for the worker says of a document.
    struct Plan: Sendable {
        /// Why Postgres takes no such document: an SQLSTATE, `not_an_object` or `other_document`.
        var refusal: String?
        var isStored: Bool
        /// When what is stored was observed.
        var observedAt: String?
        /// No newer observation is stored.
        var isNewest: Bool
        var accepted: Set<Expand>
        var otherVersions: Set<Expand>
        /// The cause by the part.
        var storedGaps: [String: String]
        var gaps: [String: String]
    }

    let session: Session

    func denied(_ credential: String) async throws -> Set<Expand> {
        let rows = try await session.query(Statements.dryRunDenied, [.text(credential)])
        return Set(try rows.compactMap { Expand(rawValue: try $0.text("part")) })
    }

    func clock(_ credential: String) async throws -> String {
        guard let row = try await session.query(Statements.clockRead, [.text(credential)]).first else {
            throw PostgresError.unexpectedResult(column: "clock")
        }
        return try row.text("clock")
    }

    func plan(
        _ id: EngagementID, _ document: Document, observedAt: String, readable: [Expand], wanted: [Expand], force: Bool
    ) async throws -> Plan {
        let rows = try await session.query(
            Statements.dryRunPlan,
            Self.given(id, document) + [
                .text(observedAt), .text(readable.map(\.rawValue).joined(separator: ",")),
                .texts(wanted.map(\.rawValue)), .boolean(force),
            ])
        guard let row = rows.first else { throw PostgresError.unexpectedResult(column: "refusal") }
        let refusal = try row.textIfPresent("refusal")
        return Plan(
            refusal: refusal, isStored: try row.boolean("is_stored"), observedAt: try row.textIfPresent("observed_at"),
            isNewest: refusal == nil ? try row.boolean("newest") : false,
            accepted: Self.parts(try row.textIfPresent("accepted")),
            otherVersions: Self.parts(try row.textIfPresent("changed")),
            storedGaps: Self.causes(try row.textIfPresent("stored_gaps")),
            gaps: Self.causes(try row.textIfPresent("gaps"))
        )
    }

    /// What is stored and what the document holds.
    func sides(_ id: EngagementID, _ document: Document) async throws -> (
        stored: EngagementSide, fetched: EngagementSide
    ) {
        var (stored, fetched) = (Assembly(), Assembly())
        for row in try await session.query(Statements.dryRunSides, Self.given(id, document)) {
            if try row.text("side") == "stored" { try stored.add(row) } else { try fetched.add(row) }
        }
        return (stored.side, fetched.side)
    }

    private static func given(_ id: EngagementID, _ document: Document) -> [Parameter] {
        [
            .text(id.rawValue), .text(String(decoding: document.json, as: UTF8.self)),
            .textOrNull(document.transcript.map { String(decoding: $0, as: UTF8.self) }),
        ]
    }

    private static func parts(_ list: String?) -> Set<Expand> {
        Set((list ?? "").split(separator: ",").compactMap { Expand(rawValue: String($0)) })
    }

    /// `part=cause,…`
    private static func causes(_ list: String?) -> [String: String] {
        (list ?? "").split(separator: ",").reduce(into: [:]) { causes, pair in
            let halves = pair.split(separator: "=", maxSplits: 1).map(String.init)
            if halves.count == 2 { causes[halves[0]] = halves[1] }
        }
    }
}

/// Puts the rows of one side together; they come item by item.
private struct Assembly {
    var side = EngagementSide()
    private var last: (part: Expand, number: Int64)?

    mutating func add(_ row: Row) throws {
        let name = try row.textIfPresent("name")
        let value = try row.textIfPresent("value")
        guard let text = try row.textIfPresent("part") else {
            if let name { side.fields[name] = value }
            return
        }
        guard let part = Expand(rawValue: text) else { return }
        let number = try row.integer("n")
        if last?.part != part || last?.number != number {
            side.parts[part, default: []].append(.init(id: try row.textIfPresent("id")))
            last = (part, number)
        }
        guard let name, let index = side.parts[part]?.indices.last else { return }
        side.parts[part]?[index].fields[name] = value
    }
}
