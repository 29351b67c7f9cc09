import Enrichment
import Foundation
import Postgres
import Simulator
import Synchronization
import TestKit

/// Where a chaos run plays: a server of its own, a simulator, and workers that reach both through proxies.
final class ChaosStage: Sendable {
    let cluster: PrivateCluster
    let simulator: Simulator
    let slots: [ChaosSlot]
    let token: ChaosToken
    let schedule: ChaosSchedule
    let book = ChaosBook()
    let counts = ChaosCounts()

    var world: World { simulator.world }

    /// All of them can be taken away but the first.
    static let scopes = [SimScope.engagements, SimScope.companies, SimScope.contacts, SimScope.users]

    private init(_ cluster: PrivateCluster, _ schedule: ChaosSchedule) async throws {
        self.cluster = cluster
        self.schedule = schedule
        var settings = Stage.small
        // So that none left is not what some version has.
        settings.children = 1...3
        simulator = Simulator(seed: schedule.seed, settings: settings)
        try await simulator.start()
        token = ChaosToken(simulator.world)
        simulator.world.setLatency(.milliseconds(10))
        slots = try (0..<schedule.slots).map { [cluster, simulator, token] _ in
            try ChaosSlot(cluster, simulator, token)
        }
        try await cluster.run(ChaosAudit.install)
        // `Tests/mutations` shows with this that the run notices what it is there for.
        if let mutation = ProcessInfo.processInfo.environment["TEST_MUTATION"] {
            let sql = try String(contentsOfFile: mutation, encoding: .utf8)
            do { try await cluster.run(sql) } catch { throw ChaosFailure("the mutation no longer fits: \(error)") }
        }
        try await cluster.run("INSERT INTO credentials (name, state) VALUES ('default', 'ok') ON CONFLICT DO NOTHING")
    }

    /// Runs the test and ends all that was started, whatever becomes of it.
    static func run(_ schedule: ChaosSchedule, _ test: (ChaosStage) async throws -> Void) async throws {
        // Claims are committed asynchronously, and a crash is to lose some.
        let options = ["fsync = off", "wal_writer_delay = 10s", "max_connections = 100"]
        try await PrivateCluster.run(options: options) { cluster in
            let stage = try await ChaosStage(cluster, schedule)
            let result: Result<Void, any Error>
            do { result = .success(try await test(stage)) } catch { result = .failure(error) }
            for slot in stage.slots { await slot.close() }
            await stage.simulator.stop()
            try result.get()
        }
    }

    /// Runs SQL until it succeeds: a fault may hit any statement.
    func persist(_ sql: String, within limit: Duration = .seconds(60)) async throws {
        try await eventually(within: limit, "runs at last: \(sql.prefix(100))") {
            do { try await cluster.run(sql) } catch { return false }
            return true
        }
    }

    func insert(_ rows: [ChaosWorkload.Row]) async throws {
        guard !rows.isEmpty else { return }
        let numbers = rows.compactMap { row -> Int? in
            if case .engagement(let number) = row.subject { number } else { nil }
        }
        let begun = book.begin(numbers)
        let values = rows.map { row in
            let id =
                switch row.subject {
                case .engagement(let number): world.id(number)
                case .invalid(let text): text.replacingOccurrences(of: "'", with: "''")
                }
            let reason = row.reason.map { "'\($0)'" } ?? "NULL"
            return "('\(id)', \(reason), \(row.priority), now() + interval '\(row.delayMilliseconds) ms')"
        }
        try await persist(
            "INSERT INTO enrichment_queue (engagement_id, reason, priority, available_at) VALUES "
                + values.joined(separator: ","))
        book.confirm(begun)
    }

    func change(_ number: Int, _ change: ChaosWorkload.Change) {
        let id = world.id(number)
        switch change {
        case .bump: world.bump(id)
        case .makePrivate(let isSo): world.setPrivate(id, isSo)
        case .makeMissing(let isSo): world.setMissing(id, isSo)
        case .makeGone(let isSo): world.setGone(id, isSo)
        }
        // After the world's: who reads the book before a change sees it in the world at the earliest.
        if case .bump = change { book.change(number, bump: true) } else { book.change(number, bump: false) }
    }
}

/// How often each fault was done, and when requests were made to fail.
final class ChaosCounts: Sendable {
    private let counts = Mutex<[ChaosFault: Int]>([:])
    private let windows = Mutex<[Window]>([])
    private let ended = Mutex<[String]>([])

    /// Workers that ended although nobody asked or killed them.
    var unaskedEnds: [String] { ended.withLock(\.self) }

    func noteIfEnded(_ worker: WorkerProcess) {
        guard !worker.isRunning else { return }
        ended.withLock { $0.append("worker \(worker.processID) ended by itself:\n\(worker.tail)") }
    }

    func add(_ fault: ChaosFault, _ count: Int = 1) { counts.withLock { $0[fault, default: 0] += count } }

    func count(_ fault: ChaosFault) -> Int { counts.withLock { $0[fault, default: 0] } }

    /// From the beginning of a fault to its end.
    struct Window: Sendable {
        let fault: ChaosFault
        let slot: Int
        let time: ClosedRange<ContinuousClock.Instant>
    }

    func noteWindow(_ event: ChaosSchedule.Event, from start: ContinuousClock.Instant) {
        let window = Window(fault: event.fault, slot: event.slot, time: start...ContinuousClock.now)
        windows.withLock { $0.append(window) }
    }

    /// Those of faults that fit which overlap the time; of one slot, or of all.
    func windows(
        in time: ClosedRange<ContinuousClock.Instant>, slot: Int? = nil, of fits: (ChaosFault) -> Bool = { _ in true }
    ) -> [Window] {
        windows.withLock { windows in
            windows.filter { fits($0.fault) && (slot ?? $0.slot) == $0.slot && $0.time.overlaps(time) }
        }
    }

    var text: String {
        counts.withLock { counts in
            ChaosFault.allCases.map { "\($0.rawValue)=\(counts[$0, default: 0])" }.joined(separator: " ")
        }
    }
}
