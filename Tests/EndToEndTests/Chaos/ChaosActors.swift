import Foundation
import Glibc
import Postgres
import Simulator
import TestKit
import Testing

/// Does one event of a schedule, from its beginning to its end.
struct ChaosActor: Sendable {
    let stage: ChaosStage
    let event: ChaosSchedule.Event

    /// How long a fault waits for bytes that it could meet, beyond its time.
    private static let patience = Duration.seconds(20)

    func run() async {
        let begin = ContinuousClock.now
        do {
            try await act()
        } catch {
            // Another fault met this one: a lock that the restart of the server ended, say.
        }
        stage.counts.noteWindow(event, from: begin)
    }

    private var slot: ChaosSlot { stage.slots[event.slot] }

    private func act() async throws {
        switch event.fault {
        case .kill, .term, .freeze: try await meetProcess()
        case .databaseSwallow: try await swallow(slot.database, .postgres("engagement_ingest"))
        case .apiSwallow: try await swallow(slot.api, .containing("GET /"))
        case .backend, .restartFast, .restartImmediate: try await meetServer()
        case .snapshot, .rowLock, .tableLock: try await hold()
        case .bells: try await ring()
        case .apiError, .apiRateLimit, .apiPage, .apiHang, .apiOwnError: try await meetAPI()
        case .scope: try await meetScope()
        case .token: try await meetToken()
        case .readOnly: try await meetReadOnly()
        default:
            if let fault = event.fault.ofLine {
                let isAPI = event.fault.rawValue.hasPrefix("api")
                try await meetLine(isAPI ? slot.api : slot.database, fault)
            }
        }
    }

    private func pause() async throws { try await Task.sleep(for: event.lasts) }

    // MARK: Processes

    private func meetProcess() async throws {
        stage.counts.noteIfEnded(slot.worker)
        switch event.fault {
        case .kill:
            try await slot.kill()
            stage.counts.add(.kill)
            try await pause()
            try slot.start()
        case .term:
            // A process that is still being loaded handles no signal yet.
            if slot.worker.isRunning { try? await slot.worker.waitFor("worker.start") }
            if slot.worker.isRunning { stage.counts.add(.term) }
            slot.term()
            try await pause()
            try slot.start()
        default:
            let worker = try await slot.freeze()
            stage.counts.add(.freeze)
            try? await pause()
            worker.thaw()
        }
    }

    // MARK: Lines

    private func meetLine(_ proxy: FaultProxy, _ fault: FaultProxy.Fault) async throws {
        let kind = event.fault.kind!
        let before = proxy.injected(kind)
        proxy.set(fault)
        try? await pause()
        try? await eventually(within: Self.patience, "bytes") { proxy.injected(kind) > before }
        proxy.set(.none)
        stage.counts.add(event.fault, proxy.injected(kind) - before)
    }

    private func swallow(_ proxy: FaultProxy, _ request: FaultProxy.Request) async throws {
        let before = proxy.injected(.swallowReply)
        let count = 1 + event.choice % 3
        proxy.swallowReplies(count, to: request)
        try? await pause()
        try? await eventually(within: Self.patience, "a reply") { proxy.injected(.swallowReply) > before }
        proxy.stopSwallowing()
        stage.counts.add(event.fault, proxy.injected(.swallowReply) - before)
    }

    // MARK: The server

    private func meetServer() async throws {
        switch event.fault {
        case .restartFast:
            try await stage.cluster.restart(.fast)
            stage.counts.add(.restartFast)
        case .restartImmediate:
            try await stage.cluster.restart(.immediate)
            stage.counts.add(.restartImmediate)
        default:
            for round in 0...event.choice % 3 {
                try await eventually(within: Self.patience, "a backend") {
                    try await !stage.cluster.run(Backends.terminateOne(event.choice + 7 * round)).isEmpty
                }
                stage.counts.add(.backend)
                try await Task.sleep(for: event.lasts / 3)
            }
        }
    }

    /// The server takes no writes, for its workers as for others.
    private func meetReadOnly() async throws {
        func told() -> Int {
            stage.slots.flatMap(\.lives).reduce(0) { count, life in
                count + life.process.records(of: "db.lost").count { $0["cause"] as? String == "read_only" }
            }
        }
        let before = told()
        try await stage.persist("ALTER SYSTEM SET default_transaction_read_only = on")
        try await stage.persist("SELECT pg_reload_conf()")
        try? await pause()
        try? await eventually(within: Self.patience, "a worker that notices") { told() > before }
        try await stage.persist("ALTER SYSTEM RESET default_transaction_read_only")
        try await stage.persist("SELECT pg_reload_conf()")
        stage.counts.add(.readOnly, told() - before)
    }

    private static let waiting = """
        SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'engagement-worker %' AND wait_event_type = 'Lock'
        """

    private func hold() async throws {
        let held = try await take()
        async let met: Void = eventually(within: Self.patience, "a worker waits for the lock") {
            try await stage.cluster.count(Self.waiting) > 0
        }
        try? await pause()
        let isMet = (try? await met) != nil
        // A row may be one that nobody needs meanwhile.
        if isMet || event.fault != .tableLock { stage.counts.add(event.fault) }
        await held.release()
    }

    /// Workers write meanwhile: what locks rows that they write is refused (40001, 40P01) until it is lucky.
    private func take() async throws -> HeldSession {
        var held: HeldSession?
        try await eventually(within: Self.patience, "\(event.fault) is held") {
            guard let connection = try? await stage.cluster.connect(applicationName: "chaos \(event.fault.rawValue)")
            else {
                return false
            }
            held = try? await take(on: connection)
            if held == nil { await connection.close() }
            return held != nil
        }
        return try #require(held)
    }

    private func take(on connection: Connection) async throws -> HeldSession {
        switch event.fault {
        case .snapshot: try await .snapshot(connection)
        case .rowLock:
            try await HeldSession(
                connection,
                """
                SELECT FROM engagements ORDER BY md5(id || \(event.choice)) LIMIT 200 FOR UPDATE;
                SELECT FROM contacts ORDER BY md5(id || \(event.choice)) LIMIT 200 FOR UPDATE
                """)
        default: try await HeldSession(connection, "LOCK TABLE enrichment_queue IN ACCESS EXCLUSIVE MODE")
        }
    }

    /// Anybody may ring the bell, with any payload.
    private func ring() async throws {
        let connection = try await stage.cluster.connect(applicationName: "chaos bells")
        for _ in 0..<10 {
            try await connection.run(
                script: """
                    SELECT count(pg_notify(bell_channel(), format('{"id":%s}', n))) FROM generate_series(1, 200) AS n
                    """, name: "bells")
            stage.counts.add(.bells, 200)
        }
        await connection.close()
    }

    // MARK: The API

    private func meetAPI() async throws {
        let (world, fault, before) = (stage.world, event.fault, stage.world.totalRequests)
        var faulty: Set<String> = []
        switch fault {
        case .apiError: world.setFault([.internalError, .badGateway, .unavailable][event.choice % 3])
        case .apiPage: world.setFault(.page)
        case .apiRateLimit: world.setRateLimit(perSecond: 5 + event.choice % 20)
        case .apiHang: world.setLatency(.seconds(6))
        default: faulty = try await ownErrors()
        }
        /// Requests that met it, not merely came meanwhile.
        func met() -> Int {
            world.requests.dropFirst(before).count { request in
                switch fault {
                case .apiError: [500, 502, 503].contains(request.status)
                case .apiRateLimit: request.status == 429
                case .apiOwnError: request.status == 500 && request.id.map(faulty.contains) == true
                default: true
                }
            }
        }
        try? await pause()
        try? await eventually(within: Self.patience, "a request") { met() > 0 }
        switch fault {
        case .apiError, .apiPage: world.clearOverrideOfAll()
        case .apiRateLimit: world.setRateLimit(perSecond: nil)
        case .apiHang: world.setLatency(.milliseconds(10))
        default: break
        }
        stage.counts.add(fault, met())
    }

    /// Errors of single engagements while all others succeed: those are their jobs' own. They are asked for once more.
    private func ownErrors() async throws -> Set<String> {
        let inserted = stage.book.inserted.keys.sorted()
        guard !inserted.isEmpty else { return [] }
        let numbers = Set((0..<5).map { inserted[(event.choice + $0 * 37) % inserted.count] })
        for id in numbers.map(stage.world.id) {
            stage.book.noteOwnError(id)
            stage.world.setFault(.internalError, of: id, times: 2)
        }
        // Before all that waits: they are to meet it while it lasts.
        try await stage.insert(numbers.sorted().map { ChaosWorkload.Row(subject: .engagement($0), priority: 5) })
        return Set(numbers.map(stage.world.id))
    }

    private func meetToken() async throws {
        let before = stage.world.totalRequests
        func refused() -> Int { stage.world.requests.dropFirst(before).count { $0.status == 401 } }
        await stage.token.replace(after: event.lasts)
        try? await eventually(within: Self.patience, "a refusal") { refused() > 0 }
        stage.counts.add(.token, refused())
    }

    private func meetScope() async throws {
        let scope = ChaosStage.scopes[1 + event.choice % 3]
        let before = stage.world.totalRequests
        stage.world.revoke(scope)
        try? await pause()
        func refused() -> Int { stage.world.requests.dropFirst(before).count { $0.status == 403 } }
        try? await eventually(within: Self.patience, "a refusal") { refused() > 0 }
        stage.world.grant(scope)
        stage.counts.add(.scope, refused())
        // As an operator who knows that it was granted.
        try await stage.persist("UPDATE scope_denials SET next_probe_at = now()")
    }
}
