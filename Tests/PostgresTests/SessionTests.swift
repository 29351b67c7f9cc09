import Postgres
import Synchronization
import TestKit
import Testing

/// A session: a connection that comes back.
struct SessionTests {
    /// What a session told, in words.
    private final class Told: Sendable {
        private let words = Mutex<[String]>([])
        var all: [String] { words.withLock(\.self) }

        func note(_ event: Session.Event) {
            words.withLock { words in
                switch event {
                case .lost(let error): words.append("lost \(error.sqlState?.code ?? "-")")
                case .restored: words.append("restored")
                case .pooled: words.append("pooled")
                case .noted(let notice):
                    words.append("\(notice.severity) \(notice.sqlState.code) of \(notice.statement ?? "-")")
                }
            }
        }
    }

    private func session(_ told: Told, conninfo: String = TestCluster.conninfo("postgres")) -> Session {
        Session(ConnectionConfiguration(conninfo: conninfo, applicationName: "test session")) { told.note($0) }
    }

    @Test func aKilledBackendIsReplacedAndToldOnceEach() async throws {
        let told = Told()
        let session = session(told)
        let pid = try #require(try await session.query(backend).first?.integer("pid"))
        try await kill(pid)
        let error = try await postgresError { _ = try await session.query(one) }
        #expect(error?.sqlState == SQLState("57P01"))
        #expect(told.all == ["lost 57P01"])
        // Prepared anew on the new connection, since the server has forgotten it.
        for _ in 0..<3 { #expect(try await session.query(one).first?.integer("n") == 1) }
        #expect(try await session.query(backend).first?.integer("pid") != pid)
        #expect(told.all == ["lost 57P01", "restored"])
        await session.close()
        #expect(told.all == ["lost 57P01", "restored"])
    }

    @Test func aHealthySessionTellsNothing() async throws {
        let told = Told()
        let session = session(told)
        _ = try await session.query(one)
        _ = try await postgresError { _ = try await session.query(Statement(name: "bad", sql: "SELECT 1/0")) }
        await session.close()
        #expect(told.all == [])
    }

    /// The code alone; and once, however often a statement says it.
    @Test(arguments: [false, true])
    func whatTheServerSaysBesideAnAnswerIsToldWithoutItsText(isPooled: Bool) async throws {
        let told = Told()
        var configuration = ConnectionConfiguration(
            conninfo: TestCluster.conninfo("postgres"), applicationName: "test session")
        configuration.isPooled = isPooled
        let session = Session(configuration) { told.note($0) }
        let noisy = Statement(
            name: "noisy",
            sql: """
                DO $$BEGIN
                    FOR n IN 1..50 LOOP RAISE WARNING 'said of %', n; END LOOP;
                    RAISE NOTICE 'said too';
                    RAISE WARNING USING ERRCODE = '01004', MESSAGE = 'another';
                    RAISE DEBUG 'not asked for';
                END$$
                """)
        _ = try await session.query(noisy)
        #expect(told.all == ["warning 01000 of noisy", "notice 00000 of noisy", "warning 01004 of noisy"])
        _ = try await session.query(one)
        #expect(told.all.count == 3)
        await session.close()
    }

    @Test func callersThatComeTogetherShareOneConnection() async throws {
        let session = session(Told())
        let pids = try await withThrowingTaskGroup(of: Int64.self) { group in
            for _ in 0..<8 { group.addTask { try #require(try await session.query(backend).first).integer("pid") } }
            return try await group.reduce(into: Set<Int64>()) { $0.insert($1) }
        }
        #expect(pids.count == 1)
        await session.close()
    }

    @Test func aServerThatComesBackIsFoundAndToldOnce() async throws {
        let told = Told()
        let proxy = try FaultProxy(to: try clusterPort)
        let session = session(told, conninfo: through(proxy))
        _ = try await session.query(one)
        proxy.reset()
        let error = try await postgresError { _ = try await session.query(one, timeout: .seconds(5)) }
        #expect(error?.isConnectionLoss == true)
        #expect(try await session.query(one).first?.integer("n") == 1)
        #expect(told.all == ["lost -", "restored"])
        await session.close()
        proxy.stop()
    }

    @Test func closingEndsAWaitForAServerThatIsAway() async throws {
        let told = Told()
        let port = try closedLoopbackPort()
        let session = session(told, conninfo: "host=127.0.0.1 port=\(port) user=postgres dbname=postgres")
        let waiting = Task { try await postgresError { _ = try await session.query(one) } }
        try await eventually("the session waits") { told.all == ["lost -"] }
        let start = ContinuousClock.now
        await session.close()
        guard case .cancelled? = try await waiting.value else { return #expect(Bool(false), "not cancelled") }
        #expect(ContinuousClock.now - start < .seconds(2))
        guard case .cancelled? = try await postgresError({ _ = try await session.query(one) }) else {
            return #expect(Bool(false), "a closed session served")
        }
        #expect(told.all == ["lost -"], "a loss is told once, however often connecting fails")
    }

    @Test func whatNoWaitingCuresIsThrownAtOnce() async throws {
        let told = Told()
        let session = session(told, conninfo: TestCluster.conninfo("no_such_database"))
        for _ in 0..<2 {
            let error = try await postgresError { _ = try await session.query(one) }
            #expect(error?.isConfiguration == true)
        }
        await session.close()
    }

    @Test func droppingAnotherConnectionThanTheOpenOneDoesNothing() async throws {
        let told = Told()
        let session = session(told)
        let pid = try #require(try await session.query(backend).first?.integer("pid"))
        let stranger = try await open()
        await session.drop(stranger, .lost(statement: nil, sqlState: nil))
        #expect(try await session.query(backend).first?.integer("pid") == pid)
        #expect(told.all == [])
        await session.close()
        await stranger.close()
    }
}
