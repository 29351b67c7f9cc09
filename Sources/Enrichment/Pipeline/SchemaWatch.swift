import Postgres

/// Notices that the schema moves on under a running worker. One version ahead is fine, since migrations only add; of two
/// ahead nobody knows what our statements do to it.
struct SchemaWatch: Sendable {
    private static let interval: Duration = .seconds(2)

    let session: Session
    let schema: String

    /// Returns once the schema is too new for this binary; nil when cancelled.
    func tooNew() async -> SchemaError? {
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.interval)
            do {
                try await look()
            } catch let error as SchemaError {
                // An older one is a restored backup or a dropped schema: that may be mended under us.
                if case .tooNew = error { return error }
            } catch {
                // An outage is for others to tell.
            }
        }
        return nil
    }

    private func look() async throws {
        let connection = try await session.current()
        do {
            try await Migrator.check(connection, schema: schema)
        } catch let error as PostgresError where error.isConnectionLoss {
            await session.drop(connection, error)
            throw error
        }
    }
}
