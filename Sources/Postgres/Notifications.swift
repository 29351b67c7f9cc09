/// The notifications of a connection that listens, as an async sequence.
///
/// An element is the channels that rang; the payload is not given: a notification says "look", nothing more. A half-open
/// socket is silent, so the connection is probed when nothing came for `probeInterval`; a probe that is not answered in 5 s
/// ends the sequence with an error.
package struct Notifications: AsyncSequence, Sendable {
    package typealias Element = Set<String>
    package typealias Failure = PostgresError

    let connection: Connection
    let probeInterval: Duration

    package func makeAsyncIterator() -> Iterator {
        Iterator(connection: connection, probeInterval: probeInterval)
    }

    package struct Iterator: AsyncIteratorProtocol {
        let connection: Connection
        let probeInterval: Duration

        /// Notifications that came together are one element, empty if none came for the probe's interval. Nil once the task is
        /// cancelled.
        package mutating func next() async throws(PostgresError) -> Set<String>? {
            guard !Task.isCancelled else { return nil }
            let channels = try await wait()
            if Task.isCancelled { return nil }
            if channels.isEmpty { _ = try await connection.query(Notifications.probe, timeout: .seconds(5)) }
            return Set(channels)
        }

        package mutating func next(isolation actor: isolated (any Actor)?) async throws(PostgresError) -> Set<String>? {
            try await next()
        }

        private func wait() async throws(PostgresError) -> [String] {
            let (connection, probeInterval) = (connection, probeInterval)
            let outcome: Result<[String], PostgresError> = await withTaskCancellationHandler {
                do throws(PostgresError) {
                    return .success(try await connection.waitForNotifications(timeout: probeInterval))
                } catch {
                    return .failure(error)
                }
            } onCancel: {
                connection.interrupt()
            }
            return try outcome.get()
        }
    }

    /// Rings on the channel `$1`.
    package static let notify = Statement(name: "notify", sql: "SELECT pg_notify($1::text, '')")
    private static let probe = Statement(name: "listen_probe", sql: "SELECT 1")
}

extension Connection {
    /// Listens on a channel. Look at the table *after* this returns, or what came before it is missed.
    package func listen(channel: String) throws(PostgresError) {
        try run(script: "LISTEN \(quoteIdentifier(channel))", name: "listen")
    }

    /// Whether a notification comes back to this connection. Behind a transaction pooler none does: LISTEN went to a
    /// session that is somebody else's by now.
    ///
    /// - Parameters:
    ///   - channel: one that nobody else uses.
    ///   - notify: sends it, on another connection: on this one a pooler may give us the listening session by luck.
    package func hears(
        channel: String, notify: @Sendable () async throws(PostgresError) -> Void
    ) async throws(PostgresError) -> Bool {
        try listen(channel: channel)
        try await notify()
        let isHeard = try !waitForNotifications(of: channel, timeout: .seconds(2)).isEmpty
        try run(script: "UNLISTEN \(quoteIdentifier(channel))", name: "unlisten")
        return isHeard
    }

    package nonisolated func notifications(probeInterval: Duration = .seconds(5)) -> Notifications {
        Notifications(connection: self, probeInterval: probeInterval)
    }
}
