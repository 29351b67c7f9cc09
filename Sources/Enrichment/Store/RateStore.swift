import Postgres
import SQLText

/// What all workers of a credential share about the API's rate limit: the pause, the turns, the trials.
struct RateStore: Sendable {
    /// Leave to send, or how long to wait for it.
    struct Turns: Sendable {
        /// None during a pause.
        var count: Int
        var wait: Duration
        /// Between two turns; nil: there is no limit.
        var step: Duration?
        /// How long ago the limit was met last; nil: no limit is known.
        var limitedAgo: Duration?
    }

    let name: String
    let bootID: Int64
    /// The configured limit in requests a second.
    let cap: Double?
    let session: Patient

    func takeTurns() async throws(PostgresError) -> Turns {
        let rows = try await session.query(Statements.rateTurns, [.text(name), .double(cap ?? 0)])
        guard let row = rows.first else {
            throw .unexpectedResult(column: "turns")
        }
        return Turns(
            count: Int(try row.integer("turns")), wait: .seconds(try row.doubleIfPresent("wait_s") ?? 0),
            step: try row.doubleIfPresent("step_s").map { .seconds($0) },
            limitedAgo: try row.doubleIfPresent("limited_ago_s").map { .seconds($0) })
    }

    /// How long until any worker may try an API that is away; zero: try it.
    func takeTrial() async throws(PostgresError) -> Duration {
        let row = try await session.query(Statements.rateTrial, [.text(name)]).first
        return .seconds(try row?.doubleIfPresent("wait_s") ?? 0)
    }

    /// Tells of a 429, or adds what went well here to another worker's (`pause` zero).
    func meet(pause: Duration, sentAgo: Duration, accepted: Int) async throws(PostgresError) {
        _ = try await session.query(
            Statements.rateMeet,
            [
                .text(name), .bigint(bootID), .double(pause / .seconds(1)), .double(sentAgo / .seconds(1)),
                .bigint(Int64(accepted)),
            ])
    }
}
