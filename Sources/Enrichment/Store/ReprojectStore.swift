package import Postgres
import SQLText

/// Writes what is stored again, by the mapping of this version: from the documents that the tables keep, without a request.
package struct ReprojectStore: Sendable {
    /// In the order in which writers take their locks.
    package static let tables = [
        "engagements", "companies", "contacts", "users", "tags", "engagement_action_items", "engagement_signals",
    ]

    package struct Count: Equatable, Sendable {
        /// Rows, or of children engagements, that were looked at.
        package var looked = 0
        /// Rows that differed.
        package var changed = 0
    }

    private let session: Session

    package init(session: Session) { self.session = session }

    /// Goes through a table in slices, each of which is a transaction: broken off, it has done what it has done.
    ///
    /// - Parameter isDry: only counts.
    package func run(_ table: String, isDry: Bool) async throws -> Count {
        var count = Count()
        var after: String? = ""
        while let key = after {
            let slice = try await slice(table, after: key, isDry)
            guard let slice else { break }
            count.looked += slice.looked
            count.changed += slice.changed
            after = slice.last
        }
        return count
    }

    /// Nothing is half done when a lock or an answer does not come, so it is tried again a few times.
    private func slice(
        _ table: String, after key: String, _ isDry: Bool
    ) async throws -> (looked: Int, changed: Int, last: String?)? {
        var triesLeft = 10
        while true {
            do {
                let rows = try await session.query(
                    Statements.reprojectSlice, [.text(table), .text(key), .boolean(isDry)])
                return try rows.first.map { row in
                    (Int(try row.integer("looked")), Int(try row.integer("changed")), try row.textIfPresent("last"))
                }
            } catch let error as PostgresError where triesLeft > 0 && error.isPassing {
                triesLeft -= 1
                try await Task.sleep(for: .milliseconds(200))
            }
        }
    }
}

extension PostgresError {
    /// The same statement may well succeed a little later.
    fileprivate var isPassing: Bool {
        isConnectionLoss && !isConfiguration || sqlState == .lockNotAvailable || sqlState?.isRetriedAtOnce == true
    }
}
