package import Postgres

/// Gives the test a database and drops it at the end, also when the test fails.
package func withTestDatabase(
    schema: String = "askelephant", _ test: (TestDatabase) async throws -> Void
) async throws {
    let database = try await TestDatabase(schema: schema)
    do {
        try await test(database)
    } catch {
        await database.drop()
        throw error
    }
    await database.drop()
}

extension TestDatabase {
    private static let roles = Counter()

    /// Makes a role that may log in and nothing else, gives it to the test, and drops it at the end with all that it owns
    /// here.
    ///
    /// - Parameter options: more of `CREATE ROLE`.
    package func withRole(_ options: String = "", _ test: (String) async throws -> Void) async throws {
        let role = "role_\(name)_\(Self.roles.next())"
        try await run("CREATE ROLE \(role) LOGIN \(options)")
        let outcome: Result<Void, any Error>
        do { outcome = .success(try await test(role)) } catch { outcome = .failure(error) }
        // A session of its own may still be ending.
        try await run(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '\(role)';
            DROP OWNED BY \(role) CASCADE;
            DROP ROLE \(role)
            """)
        try outcome.get()
    }

    /// The connection string for a role; the last `user` of a string holds.
    package func conninfo(as role: String) -> String { conninfo + " user=\(role)" }

    /// A session of the role on this database.
    package func connect(as role: String) async throws -> Connection {
        try await Connection.open(
            ConnectionConfiguration(conninfo: conninfo(as: role), applicationName: "test", schema: schema))
    }
}

/// The error that the work throws; nil when it throws none.
package func postgresError(_ work: () async throws -> Void) async throws -> PostgresError? {
    do {
        try await work()
        return nil
    } catch let error as PostgresError {
        return error
    }
}
