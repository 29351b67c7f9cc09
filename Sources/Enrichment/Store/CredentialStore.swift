import AskElephant
import Postgres
import SQLText

/// What all workers know about one named credential: its state, the parts that it may not read, what is to be filled.
package struct CredentialStore: Sendable {
    /// How many jobs a slice of refills or released dead letters queues, and how many may wait already.
    private static let slice: Int64 = 1_000

    package enum State: String, Sendable {
        /// Nothing was read with it yet.
        case unknown
        case ok
        /// 401
        case refused
        /// It lacks `engagements:read`.
        case forbidden
    }

    /// One look at what other workers and people changed.
    struct Look: Sendable {
        var state: State
        var fingerprint: String?
        var denied: Set<Expand>
        /// Denied parts whose time to be tried again has come.
        var due: Set<Expand>
        /// Parts that answers left out since they last arrived.
        var withheld: Set<Expand>
        var isFillable: Bool
        var isReleasing: Bool
        /// Engagements wait to be queued that hold what a webhook told of.
        var isSpreading: Bool
        /// What is known of the rate limit; nil: there is none.
        var rate: Rate?

        struct Rate: Sendable {
            var limitedAgo: Duration
            /// How long nothing may be sent yet.
            var pause: Duration?
        }
    }

    let name: String
    let wanted: [Expand]
    let session: Patient

    /// The key for ``Credential/fingerprint(key:)``.
    func salt() async throws(PostgresError) -> String {
        guard let row = try await session.query(Statements.credentialOpen, [.text(name)]).first else {
            throw .unexpectedResult(column: "salt")
        }
        return try row.text("salt")
    }

    /// Tells that a worker has this token now; the state that is known of it.
    func see(_ fingerprint: String) async throws(PostgresError) -> State {
        let rows = try await session.query(Statements.credentialSee, [.text(name), .text(fingerprint)])
        return try rows.first?.text("state").asState ?? .unknown
    }

    func judge(_ state: State, of fingerprint: String) async throws(PostgresError) {
        _ = try await session.query(
            Statements.credentialJudge, [.text(name), .text(fingerprint), .text(state.rawValue)])
    }

    /// Leave to try a token again: for one of all workers, and then for none of them for that long.
    func mayTry(_ fingerprint: String, every interval: Duration) async throws(PostgresError) -> Bool {
        try await !session.query(
            Statements.credentialTry, [.text(name), .text(fingerprint), .double(interval / .seconds(1))]
        ).isEmpty
    }

    func look() async throws(PostgresError) -> Look {
        guard let row = try await session.query(Statements.scopeLook, [.text(name), parts]).first else {
            throw .unexpectedResult(column: "state")
        }
        return Look(
            state: try row.text("state").asState,
            fingerprint: try row.textIfPresent("fingerprint"),
            denied: try row.textIfPresent("denied").asParts,
            due: try row.textIfPresent("due").asParts,
            withheld: try row.textIfPresent("withheld").asParts,
            isFillable: try row.boolean("fillable"),
            isReleasing: try row.boolean("releasing"),
            isSpreading: try row.boolean("spreading"),
            rate: try rate(row)
        )
    }

    private func rate(_ row: Row) throws(PostgresError) -> Look.Rate? {
        guard try row.boolean("is_limited"), let ago = try row.doubleIfPresent("limited_ago_s") else { return nil }
        let pause = try row.doubleIfPresent("paused_s").flatMap { $0 > 0 ? Duration.seconds($0) : nil }
        return Look.Rate(limitedAgo: .seconds(ago), pause: pause)
    }

    /// Records denials; those that were not denied before.
    func deny(
        _ denials: [ScopeFallback.Denial], evidence: EngagementID
    ) async throws(PostgresError) -> Set<Expand> {
        let rows = try await session.query(
            Statements.scopeDeny,
            [
                .text(name), .texts(denials.map(\.part.rawValue)), .texts(denials.map(\.requestID)),
                .text(evidence.rawValue),
            ]
        )
        var new: Set<Expand> = []
        for row in rows where try row.boolean("is_new") { new.formUnion(Optional(try row.text("part")).asParts) }
        return new
    }

    /// Leave to try a denied part: for whoever asks first once its time has come.
    func takeProbe(_ part: Expand) async throws(PostgresError) -> Bool {
        try await flag(Statements.scopeProbe, "taken", part)
    }

    func probeAgain(_ part: Expand) async throws(PostgresError) {
        _ = try await session.query(Statements.scopeProbeAgain, [.text(name), .text(part.rawValue)])
    }

    /// Makes every denied part due to be tried, and a refused token too.
    func recheck() async throws(PostgresError) {
        _ = try await session.query(Statements.scopeRecheck, [.text(name)])
    }

    func queueProbe(_ part: Expand) async throws(PostgresError) -> Bool {
        try await flag(Statements.scopeProbeQueue, "queued", part)
    }

    /// Tells that a part arrived; true once after it had been missing.
    func grant(_ part: Expand) async throws(PostgresError) -> Bool {
        try await flag(Statements.scopeGrant, "granted", part)
    }

    func refill() async throws(PostgresError) -> Int {
        let rows = try await session.query(Statements.scopeRefill, [.text(name), parts, .bigint(Self.slice)])
        return Int(try rows.first?.integer("n") ?? 0)
    }

    func spreadChanges() async throws(PostgresError) -> Int {
        let rows = try await session.query(Statements.eventSpread, [.bigint(Self.slice)])
        return Int(try rows.first?.integer("n") ?? 0)
    }

    func releaseDead() async throws(PostgresError) -> Int {
        let rows = try await session.query(Statements.deadRelease, [.text(name), .bigint(Self.slice)])
        return Int(try rows.first?.integer("n") ?? 0)
    }

    /// Forgets a part of the engagements after this id, a slice of them; the last one's id, nil when none is left.
    func purge(_ part: Expand, after id: String) async throws(PostgresError) -> String? {
        try await session.query(
            Statements.scopePurge, [.text(name), .text(part.rawValue), .text(id), .bigint(Self.slice)]
        )
        .first?.textIfPresent("last")
    }

    private var parts: Parameter { .texts(wanted.map(\.rawValue)) }

    private func flag(_ statement: Statement, _ column: StaticString, _ part: Expand) async throws(PostgresError)
        -> Bool
    {
        try await session.query(statement, [.text(name), .text(part.rawValue)]).first?.boolean(column) ?? false
    }
}

extension String {
    fileprivate var asState: CredentialStore.State { CredentialStore.State(rawValue: self) ?? .unknown }
}

extension String? {
    /// A comma list; names that this binary does not know are left out.
    fileprivate var asParts: Set<Expand> {
        Set((self ?? "").split(separator: ",").compactMap { Expand(rawValue: String($0)) })
    }
}
