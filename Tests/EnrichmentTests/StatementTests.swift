import Foundation
import Postgres
import SQLText
import TestKit
import Testing

/// The lists in SQLText are the files of sql/, and each statement fits the schema.
struct StatementTests {
    private func files(_ folder: String) throws -> [String: String] {
        let sql = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../sql/\(folder)").standardized
        let names = try FileManager.default.contentsOfDirectory(atPath: sql.path).filter { $0.hasSuffix(".sql") }
        return try Dictionary(
            uniqueKeysWithValues: names.map { name in
                (String(name.dropLast(4)), try String(contentsOf: sql.appendingPathComponent(name), encoding: .utf8))
            })
    }

    @Test func statementsAreTheFilesOfQueries() throws {
        let listed = Dictionary(uniqueKeysWithValues: Statements.all.map { ($0.name, $0.text) })
        let files = try files("queries")
        #expect(listed.keys.sorted() == files.keys.sorted())
        for (name, text) in files { #expect(listed[name] == text, "\(name)") }
    }

    @Test func migrationsAreTheFilesOfMigrationsInOrder() throws {
        let files = try files("migrations")
        #expect(Migration.all.map(\.version) == Array(1...Migration.latest))
        let names = Migration.all.map { migration in
            let digits = String(migration.version)
            return "m" + String(repeating: "0", count: 4 - digits.count) + digits + "_" + migration.name
        }
        #expect(names == files.keys.sorted())
        for (name, migration) in zip(names, Migration.all) { #expect(files[name] == migration.text, "\(name)") }
    }

    @Test func everyStatementPreparesAgainstTheSchema() async throws {
        try await withTestDatabase { database in
            for statement in Statements.all {
                await #expect(throws: Never.self, "\(statement.name)") {
                    try await database.run("PREPARE \(statement.name) AS \(statement.text)")
                }
            }
            let prepared = try await database.count("SELECT count(*) FROM pg_prepared_statements")
            #expect(prepared == Statements.all.count)
        }
    }

    /// A script that named the schema would work in one schema only.
    @Test func noFileNamesTheSchema() throws {
        for (name, text) in try files("queries").merging(try files("migrations"), uniquingKeysWith: { $1 }) {
            #expect(!text.contains("askelephant."), "\(name)")
        }
    }
}
