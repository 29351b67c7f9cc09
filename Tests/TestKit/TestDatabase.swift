package import Enrichment
import Glibc
package import Postgres
import Synchronization

/// A database of a test's own, cloned from a migrated template: it isolates notifications, which a schema does not.
package final class TestDatabase: Sendable {
    package let name: String
    package let schema: String
    package let conninfo: String
    private let connection: Connection

    /// - Parameter schema: any other name than the default is migrated anew, which takes a second.
    package init(schema: String = "askelephant") async throws {
        await Self.slots.take()
        do {
            (name, connection) = try await Self.make(schema)
        } catch {
            Self.slots.giveBack()
            throw error
        }
        self.schema = schema
        conninfo = TestCluster.conninfo(name)
    }

    /// Runs SQL by the simple protocol; the rows of its last statement.
    @discardableResult
    package func run(_ sql: String) async throws -> [Row] {
        try await connection.run(script: sql, name: "test")
    }

    /// The one value of the one row.
    package func value(_ sql: String) async throws -> String? {
        guard let row = try await run(sql).first, let column = row.columnNames.first else { return nil }
        return try row.text(named: column)
    }

    package func count(_ sql: String) async throws -> Int {
        Int(try await value(sql) ?? "") ?? -1
    }

    /// Another session on this database, for a test that needs two.
    package func connect() async throws -> Connection { try await Self.open(conninfo, schema) }

    package func configuration() -> Database.Configuration {
        Database.Configuration(conninfo: conninfo, schema: schema)
    }

    /// Waits until the query gives the value; fails the test after the time.
    package func wait(for sql: String, toBe expected: String, within limit: Duration = .seconds(30)) async throws {
        try await eventually(within: limit, "\(sql) = \(expected)") { try await self.value(sql) == expected }
    }

    package func drop() async {
        await connection.close()
        try? await Self.administrate("DROP DATABASE IF EXISTS \(name) WITH (FORCE)")
        Self.slots.giveBack()
    }

    // MARK: -

    private static let counter = Counter()
    private static let processID = getpid()
    private static let slots = Slots(8)

    private static func make(_ schema: String) async throws -> (String, Connection) {
        let name = "test_\(processID)_\(counter.next())"
        let isDefault = schema == "askelephant"
        try await createDatabase(name, template: isDefault ? try await Template.shared.name() : "template0")
        let conninfo = TestCluster.conninfo(name)
        if !isDefault {
            _ = try await Migrator(conninfo: conninfo, schema: schema, binaryVersion: "test").migrate()
        }
        return (name, try await open(conninfo, schema))
    }

    private static func open(_ conninfo: String, _ schema: String) async throws -> Connection {
        var configuration = ConnectionConfiguration(conninfo: conninfo, applicationName: "test", schema: schema)
        configuration.statementTimeout = .seconds(300)
        return try await Connection.open(configuration)
    }

    fileprivate static func createDatabase(_ name: String, template: String) async throws {
        try await administrate("CREATE DATABASE \(name) TEMPLATE \(template)")
    }

    fileprivate static func administrate(_ sql: String) async throws {
        let configuration = ConnectionConfiguration(
            conninfo: TestCluster.conninfo("postgres"), applicationName: "test admin")
        let connection = try await Connection.open(configuration)
        try await connection.run(script: sql, name: "test_admin")
        await connection.close()
    }

    /// The migrated database that the others are copies of, made once.
    private actor Template {
        static let shared = Template()
        private var making: Task<String, any Error>?

        func name() async throws -> String {
            let task =
                making
                ?? Task {
                    let name = "template_\(TestDatabase.processID)"
                    try await TestDatabase.createDatabase(name, template: "template0")
                    let migrator = Migrator(
                        conninfo: TestCluster.conninfo(name), schema: "askelephant", binaryVersion: "test"
                    )
                    _ = try await migrator.migrate()
                    return name
                }
            making = task
            return try await task.value
        }
    }
}

/// A number that no other caller got.
package final class Counter: Sendable {
    private let value = Mutex(0)
    package init() {}
    package func next() -> Int {
        value.withLock { value in
            value += 1
            return value
        }
    }
}
