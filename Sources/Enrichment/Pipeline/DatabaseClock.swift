import AskElephant
import Postgres
import SQLText

/// The database's clock, read just before a request is sent: observations are compared by it, never by a local clock.
///
/// One reading serves everybody who asks while it is fresh (10 ms by the monotonic clock): a reading that is a little
/// early only makes a snapshot look that much older, while a statement a request would cost a tenth of the throughput.
/// Whatever else brings the clock along, such as a claim, is noted here, so a reading is never from before a claim; but it tells of no
/// pause, and is followed by one that does.
actor DatabaseClock {
    private static let freshness: Duration = .milliseconds(10)

    private struct Reading {
        var text: String
        /// When the statement that brought it was sent, and when its answer was here.
        var sent: ContinuousClock.Instant
        var received: ContinuousClock.Instant
        /// A pause of all workers would have come to light with it.
        var tellsOfPauses: Bool
    }

    private let session: Session
    private let credentialName: String
    private let heed: @Sendable (CredentialStore.Look.Rate) async -> Void
    private let log: Log
    private var latest: Reading?
    private var reading: Task<Void, any Error>?

    nonisolated var unownedExecutor: UnownedSerialExecutor { ClientThread.actors }

    /// - Parameter heed: is told of a pause that holds for all workers of the credential, before the reading is.
    init(
        session: Session, credentialName: String, log: Log,
        heed: @escaping @Sendable (CredentialStore.Look.Rate) async -> Void
    ) {
        self.session = session
        self.credentialName = credentialName
        self.heed = heed
        self.log = log
    }

    /// A reading that another statement brought along.
    ///
    /// - Parameter at: when that statement was sent.
    func note(_ text: String, at sent: ContinuousClock.Instant) {
        store(text, sent, tellsOfPauses: false)
    }

    /// Somebody is about to send: the reading that is needed then is asked for now.
    func prepare() { _ = readAnew() }

    private func store(_ text: String, _ sent: ContinuousClock.Instant, tellsOfPauses: Bool) {
        // PostgreSQL's ISO form of one time zone sorts as text, with or without a fraction.
        if let latest, latest.text > text {
            // Sent after the later time was here, and yet earlier: the clock was set back, or another server answers.
            guard sent > latest.received else {
                if sent >= latest.sent {
                    self.latest!.sent = sent
                    self.latest!.tellsOfPauses = latest.tellsOfPauses || tellsOfPauses
                }
                return
            }
            log(.warning, .clockSkew, "the database's clock went back")
        }
        latest = Reading(text: text, sent: sent, received: .now, tellsOfPauses: tellsOfPauses)
    }

    /// A reading that is no older than 10 ms at the time of the call.
    func read() async throws -> String {
        let now = ContinuousClock.now
        while true {
            if let latest, latest.tellsOfPauses, latest.sent >= now - Self.freshness {
                // The next one is asked for before this one is too old, so that few wait for it.
                if latest.sent < now - Self.freshness / 2 { _ = readAnew() }
                return latest.text
            }
            try await readAnew().value
        }
    }

    private func readAnew() -> Task<Void, any Error> {
        let task = reading ?? Task { try await self.query() }
        reading = task
        return task
    }

    private func query() async throws {
        defer { reading = nil }
        let sent = ContinuousClock.now
        guard let row = try await session.query(Statements.clockRead, [.text(credentialName)]).first else {
            throw PostgresError.unexpectedResult(column: "clock")
        }
        if let pause = try row.doubleIfPresent("paused_s"), let ago = try row.doubleIfPresent("limited_ago_s") {
            await heed(.init(limitedAgo: .seconds(ago), pause: .seconds(pause)))
        }
        store(try row.text("clock"), sent, tellsOfPauses: true)
    }
}
