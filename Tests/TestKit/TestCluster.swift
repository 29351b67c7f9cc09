import Foundation

/// The PostgreSQL cluster that `Tests/run` started.
package enum TestCluster {
    /// Its connection string with another database.
    package static func conninfo(_ database: String) -> String {
        guard let base = ProcessInfo.processInfo.environment["ENGAGEMENT_TEST_CLUSTER"] else {
            fatalError("no ENGAGEMENT_TEST_CLUSTER: run the tests with Tests/run")
        }
        return base.split(separator: " ").filter { !$0.hasPrefix("dbname=") }.joined(separator: " ")
            + " dbname=\(database)"
    }

    /// A folder for files of tests, removed at the end.
    package static var folder: String {
        ProcessInfo.processInfo.environment["ENGAGEMENT_TEST_FOLDER"] ?? NSTemporaryDirectory()
    }
}

/// A condition did not come true in its time.
package struct TimedOut: Error, CustomStringConvertible {
    package let description: String

    package init(description: String) { self.description = description }
}

/// Looks every 20 ms whether the condition holds; throws after the limit.
package func eventually(
    within limit: Duration = .seconds(30), _ what: String, _ condition: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < end else { throw TimedOut(description: "not within \(limit): \(what)") }
        try await ContinuousClock().sleep(for: .milliseconds(20))
    }
}

extension TestCluster {
    /// Its port on loopback.
    package static var port: UInt16 {
        let words = conninfo("postgres").split(separator: " ")
        return words.compactMap { $0.hasPrefix("port=") ? UInt16($0.dropFirst(5)) : nil }.last ?? 0
    }
}

extension TestDatabase {
    /// Leads through the proxy to it.
    package func conninfo(through proxy: FaultProxy) -> String { conninfo + " host=127.0.0.1 port=\(proxy.port)" }
}
