import Foundation
import Postgres
import TestKit
import Testing

/// A connection from its first call to its end.
struct ConnectionLifeTests {
    private let echo = Statement(name: "echo", sql: "SELECT $1::bigint AS n, pg_backend_pid() AS pid")
    private let sleep = Statement(name: "sleep", sql: "SELECT pg_sleep(10)")

    @Test func aPreparedStatementSurvivesManyUses() async throws {
        let connection = try await open()
        for number in 0..<2_000 {
            #expect(try await connection.query(echo, [.bigint(Int64(number))]).first?.integer("n") == Int64(number))
        }
        let count = try await connection.run(
            script: "SELECT count(*) AS n FROM pg_prepared_statements WHERE name = 'echo'", name: "count")
        #expect(try count.first?.integer("n") == 1)
        await connection.close()
    }

    @Test func concurrentTasksAreServedOneAtATime() async throws {
        let connection = try await open()
        let pids = try await withThrowingTaskGroup(of: Set<Int64>.self) { group in
            for task in 0..<8 {
                group.addTask {
                    var pids: Set<Int64> = []
                    for number in 0..<100 {
                        let value = Int64(task * 1_000 + number)
                        let row = try #require(try await connection.query(echo, [.bigint(value)]).first)
                        #expect(try row.integer("n") == value)
                        pids.insert(try row.integer("pid"))
                    }
                    return pids
                }
            }
            return try await group.reduce(into: Set<Int64>()) { $0.formUnion($1) }
        }
        #expect(pids.count == 1)
        await connection.close()
    }

    @Test func aTerminatedBackendIsALossWithItsState() async throws {
        let connection = try await open()
        let pid = try #require(try await connection.query(backend).first?.integer("pid"))
        try await kill(pid)
        let error = try #require(try await postgresError { _ = try await connection.query(one) })
        guard case .lost(let statement, let state) = error else { return #expect(Bool(false), "\(error)") }
        #expect(statement == "one" && state == SQLState("57P01"))
        #expect(error.isConnectionLoss && !error.isConfiguration)
        #expect(await connection.isOpen == false)
    }

    @Test func aBackendTerminatedInMidStatementIsALossWithItsState() async throws {
        let connection = try await open()
        let pid = try #require(try await connection.query(backend).first?.integer("pid"))
        async let failed = postgresError { _ = try await connection.query(sleep) }
        let watcher = try await open()
        let active = Statement(
            name: "active",
            sql: "SELECT count(*) AS n FROM pg_stat_activity WHERE pid = $1::bigint AND wait_event = 'PgSleep'")
        try await eventually("the statement runs") {
            try await watcher.query(active, [.bigint(pid)]).first?.integer("n") == 1
        }
        try await kill(pid)
        let error = try #require(try await failed)
        guard case .lost(_, let state) = error else { return #expect(Bool(false), "\(error)") }
        #expect(state == SQLState("57P01"))
        #expect(await connection.isOpen == false)
        await watcher.close()
    }

    @Test func aCallPastItsDeadlineThrowsTheConnectionAway() async throws {
        let connection = try await open()
        let start = ContinuousClock.now
        let error = try #require(
            try await postgresError { _ = try await connection.query(sleep, timeout: .milliseconds(300)) })
        guard case .deadline(let statement) = error else { return #expect(Bool(false), "\(error)") }
        #expect(statement == "sleep" && error.isConnectionLoss && error.sqlState == nil)
        #expect(ContinuousClock.now - start < .seconds(5))
        #expect(await connection.isOpen == false)
        guard case .lost? = try await postgresError({ _ = try await connection.query(one) }) else {
            return #expect(Bool(false), "a connection that was thrown away served")
        }
    }

    @Test func aClosedConnectionServesNobody() async throws {
        let connection = try await open()
        await connection.close()
        await connection.close()
        for call in [
            { _ = try await connection.query(one) }, { try await connection.run(script: "SELECT 1", name: "s") },
            { _ = try await connection.waitForNotifications(timeout: .seconds(5)) },
            { try await connection.listen(channel: "x") },
        ] as [() async throws -> Void] {
            guard case .lost? = try await postgresError(call) else { return #expect(Bool(false), "it served") }
        }
    }

    /// In a process of its own, since other tests open connections meanwhile.
    @Test func connectionsThatAreDroppedLeaveNoThreadsAndNoDescriptors() async throws {
        await #expect(processExitsWith: .success) {
            try await openAndDrop(rounds: 1)
            let (threads, descriptors) = (try entries("/proc/self/task"), try entries("/proc/self/fd"))
            try await openAndDrop(rounds: 15)
            // A leak would leave 150; the runtime may take a few for its timers and its pool meanwhile.
            try await eventually(within: .seconds(20), "\(threads) threads, \(descriptors) descriptors as before") {
                try entries("/proc/self/task") <= threads + 8 && entries("/proc/self/fd") <= descriptors + 8
            }
        }
    }
}

/// Half of them closed, half of them only let go.
private func openAndDrop(rounds: Int) async throws {
    for _ in 0..<rounds {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<10 {
                group.addTask {
                    let connection = try await open()
                    _ = try await connection.query(one)
                    if number % 2 == 0 { await connection.close() }
                }
            }
            try await group.waitForAll()
        }
    }
}

private func entries(_ folder: String) throws -> Int {
    try FileManager.default.contentsOfDirectory(atPath: folder).count
}
