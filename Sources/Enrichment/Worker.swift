package import AskElephant
package import Postgres
import Synchronization

/// A worker: claims, fetches, writes, until it is told to stop.
package final class Worker: Sendable {
    package struct Configuration: Sendable {
        package var database: Database.Configuration
        package var client: Client.Configuration
        package var concurrency = 64
        package var lease: Duration = .seconds(60)
        package var pollInterval: Duration = .seconds(1)
        package var expand: [Expand] = Expand.allCases
        package var credentialName = "default"
        /// The workspace's name where a process works for several: in its records, and in views as `_workspace`.
        package var workspace: String?
        /// Of all workers of the credential together.
        package var maxRequestsPerSecond: Double?
        /// Asks for what is stored with the ETag that it came with (contract U-7).
        package var isConditional = false
        /// Forgets stored content of parts that the credential may not read any more.
        package var purgesOnScopeLoss = false
        package var maxAttempts = 8
        package var backoff = Backoff()
        package var memoryBudget = 64 << 20
        package var mediaLife: Duration = .seconds(3600)
        /// Transcripts of engagements that took place longer ago are dropped; nil: all are kept.
        package var transcriptLife: Duration?
        package var drainTimeout: Duration = .seconds(25)
        package var heartbeatInterval: Duration = .seconds(60)
        /// How often the database is told how the worker is.
        package var noteInterval: Duration = .seconds(10)
        /// How often the list is walked through for what nobody inserted; nil: never.
        package var sweepInterval: Duration?
        package var watch = WatchLimits()
        package var host = "localhost"
        package var processID: Int32 = 0
        package var version = "dev"
        /// The command that it is, like `backfill`, which takes no jobs; nil: a worker.
        package var command: String?

        package init(database: Database.Configuration, client: Client.Configuration) {
            self.database = database
            self.client = client
        }
    }

    package let bootID: Int64
    let configuration: Configuration
    private let credentials: CredentialSource
    private let log: Log
    let board: JobBoard
    private let bell = Bell()
    private let store: CredentialStore
    let governor: Governor
    private let scopes: ScopeBook
    let budget: ByteBudget
    let database: Database
    private let report: Reporter
    private let vitals = Vitals()
    private let stopped = Mutex(false)
    private let misfit = Mutex<SchemaError?>(nil)
    private let channel = Mutex("")
    private let sharedRings: Rings?

    /// - Parameters:
    ///   - rings: of somebody who listens for several workers; without it the worker listens itself.
    ///   - keepsEnded: remembers what ended, for ``enrich(_:force:)``.
    package init(
        _ configuration: Configuration, credentials: CredentialSource, log: Log, rings: Rings? = nil,
        keepsEnded: Bool = false
    ) {
        sharedRings = rings
        bootID = Int64.random(in: .min ... .max)
        self.configuration = configuration
        self.credentials = credentials
        var base: LogFields = [.worker: .string(String(UInt64(bitPattern: bootID), radix: 16))]
        if let name = configuration.workspace { base.fill(from: [.workspace: .string(name)]) }
        self.log = log.adding(base)
        board = JobBoard(
            concurrency: configuration.concurrency, isRateCapped: configuration.maxRequestsPerSecond != nil)
        database = Database(configuration.database, bootID: bootID, log: self.log)
        budget = ByteBudget(total: configuration.memoryBudget, largestBody: configuration.client.maxBodyBytes)
        let patient = Patient(database.scopes)
        store = CredentialStore(name: configuration.credentialName, wanted: configuration.expand, session: patient)
        let rate = RateStore(
            name: configuration.credentialName, bootID: bootID, cap: configuration.maxRequestsPerSecond,
            session: patient)
        governor = Governor(board: board, store: rate, log: self.log)
        scopes = ScopeBook(store: store, log: self.log)
        report = Reporter(log: self.log, bootID: bootID, keepsEnded: keepsEnded)
    }

    /// Reaches the database; waits for it. Throws only a ``PostgresError`` that no waiting cures.
    package func connect() async throws(PostgresError) {
        do {
            try await database.findPooler()
        } catch {
            // A server that does not take it for the moment is waited out when the worker prepares.
            guard case .server = error else { throw error }
        }
        _ = try await database.keep.current()
    }

    /// Checks that the schema fits this binary (``SchemaError``) and registers the worker. A server that refuses for the
    /// moment, or a missing right, is waited out; heartbeats say so.
    package func prepare() async throws {
        var pulse: Task<Void, Never>?
        defer { pulse?.cancel() }
        while true {
            do {
                try await database.findPooler()
                let connection = try await database.keep.current()
                do {
                    try await Migrator.checkServer(connection)
                    try await Migrator.check(connection, schema: configuration.database.schema)
                } catch let error as PostgresError where error.isConnectionLoss {
                    await database.keep.drop(connection, error)
                    throw error
                }
                try await registry.register(holdsLock: !database.health.isPooled, on: database.keep)
                let name = try await registry.bellChannel(on: database.keep)
                channel.withLock { $0 = name }
                if let workspace = configuration.workspace {
                    try await registry.nameWorkspace(workspace, on: database.keep)
                }
                return database.health.restored(role: "keep")
            } catch let error as PostgresError where error.isOutage || error.sqlState == .lockNotAvailable {
                database.health.lost(error, role: "keep")
                pulse = pulse ?? Task { await self.pulse(nil).run() }
            }
            try await Task.sleep(for: .seconds(1))
        }
    }

    package struct Ended: Sendable {
        /// Jobs that became dead letters.
        package var dead: Int
        /// With `once`: it ended because the API does not take the credential.
        package var isCredentialRefused: Bool
        /// With `once`: it ended because somebody had paused all workers, while jobs were due.
        package var pausedBy: String?
        /// The schema went on without it, so it stopped in the middle of its work.
        package var misfit: SchemaError?
    }

    /// Works until ``stop()``, or with `once` until nothing is due. Call ``prepare()`` first.
    package func run(once: Bool = false) async -> Ended {
        vitals.begin()
        let channel = channel.withLock(\.self)
        let client = Client(configuration.client)
        let health = apiHealth(client)
        let keeper = credentialKeeper(client, health, isOneShot: once)
        let opening = Task { await database.open() }
        defer { opening.cancel() }
        await keeper.open()
        let pulse = pulse(keeper)
        let upkeep = startUpkeep(channel, keeper, pulse, once ? nil : sweeper(client, health, keeper))
        log(
            .notice, .workerReady, "ready",
            [.channel: .string(channel), .pooled: .boolean(database.health.isPooled)])
        let isDrained = await work(client, keeper, health, once: once)
        let pausedBy = once && !stopped.withLock(\.self) ? await pausedWithWork() : nil
        upkeep.cancel()
        vitals.end()
        let isRefused = await keeper.trouble != nil
        // Not waited for where something hangs: the process ends, and Postgres sees that.
        _ = await atMost(.seconds(2)) { [database, registry] in
            await client.shutdown()
            if isDrained && !database.health.isLost {
                await keeper.close()
                try? await registry.leave(on: database.keep)
                await pulse.noteLast()
            }
            await database.close()
        }
        return Ended(
            dead: report.snapshot.dead, isCredentialRefused: isRefused, pausedBy: pausedBy,
            misfit: misfit.withLock(\.self))
    }

    /// Who keeps all workers from jobs that are due.
    private func pausedWithWork() async -> String? {
        let summary = await atMost(.seconds(2)) { [database] in try? await QueueSummary.read(on: database.keep) } ?? nil
        guard let summary, summary.due + summary.backgroundDue > 0 else { return nil }
        return summary.pausedBy
    }

    /// Claims nothing more, ends what is in hand within the drain timeout, gives the rest back. Returns at once.
    package func stop() {
        let isFirst = stopped.withLock { stopped in
            defer { stopped = true }
            return !stopped
        }
        guard isFirst else { return }
        Task {
            await board.stop()
            await scopes.stop()
            bell.ring()
            // A claimer that waits for a database which is away need not wait any more.
            await database.claim.close()
        }
    }

    /// Enriches these engagements and no other, and ends; what became of them. Call ``prepare()`` first.
    ///
    /// - Parameter force: the answers win against newer stored ones.
    package func enrich(_ engagements: [EngagementID], force: Bool) async throws -> [JobDone] {
        let client = Client(configuration.client)
        let health = apiHealth(client)
        let credentials = credentialKeeper(client, health, isOneShot: true)
        await credentials.open()
        let clock = databaseClock
        for engagement in engagements {
            let sent = ContinuousClock.now
            let held = try await queue.insertHeld(engagement, lease: configuration.lease, on: database.keep)
            await clock.note(held.clock, at: sent)
            _ = await board.admit([held.job])
        }
        await board.closeIntake()
        let upkeep = Task { [governor] in
            async let turns: Void = governor.run()
            await keeper.extendLeases()
            await turns
        }
        let fetching = Task { await fetch(fetcher(client, credentials, health, clock)) }
        let writing = Task { await write(force: force) }
        await board.emptied()
        await board.stop()
        await fetching.value
        await writing.value
        upkeep.cancel()
        await client.shutdown()
        await credentials.close()
        try await registry.leave(on: database.keep)
        await database.close()
        return report.allEnded
    }

    /// How it is.
    package var reading: Vitals.Reading {
        let current = vitals.current
        return Vitals.Reading(
            workspace: configuration.workspace, beat: current?.beat, age: current?.age ?? .zero, activity: report.total,
            hasBegun: vitals.hasBegun, hasEnded: vitals.hasEnded)
    }

    /// Reads the credential again and tries the parts that it may not read.
    package func recheck() {
        credentials.reload()
        Task { await scopes.recheck() }
    }

    // MARK: -

    private var queue: JobQueue { JobQueue(bootID: bootID) }
    var registry: WorkerRegistry {
        WorkerRegistry(
            bootID: bootID, host: configuration.host, processID: configuration.processID,
            version: configuration.version, command: configuration.command)
    }
    private var judge: Judge { Judge(maxAttempts: configuration.maxAttempts, backoff: configuration.backoff) }

    /// The line from claim to write. Ends when the board has stopped and everything in hand has ended, or when the drain
    /// timeout is over: false, and what is left goes back by itself once our connections are gone.
    private func work(
        _ client: Client, _ credentials: CredentialKeeper, _ health: APIHealth, once: Bool
    ) async -> Bool {
        let clock = databaseClock
        let claiming = Task {
            await claimer(clock, once: once).run()
            await board.closeIntake()
        }
        let fetching = Task { await fetch(fetcher(client, credentials, health, clock)) }
        let writing = Task { await write() }
        let (ends, end) = AsyncStream<Bool>.makeStream()
        Task {
            await claiming.value
            await fetching.value
            await writing.value
            end.yield(true)
        }
        let deadline = Task {
            await board.stopped()
            // As little as can be is done to a schema that is too new: others take what is left.
            if misfit.withLock({ $0 != nil }) {
                end.yield(false)
                return
            }
            // The last fifth, at most 2 s, is for giving back what was not finished.
            let last = min(.seconds(2), configuration.drainTimeout / 5)
            try await Task.sleep(for: configuration.drainTimeout - last)
            fetching.cancel()
            try await Task.sleep(for: last)
            writing.cancel()
            end.yield(false)
        }
        defer { deadline.cancel() }
        return await ends.first { _ in true } ?? false
    }

    private func fetch(_ fetcher: Fetcher) async {
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<configuration.concurrency {
                group.addTask(executorPreference: ClientThread.tasks) { await fetcher.run() }
            }
        }
    }

    private func write(force: Bool = false) async {
        let store = EngagementStore(bootID: bootID, wanted: configuration.expand, force: force)
        await withTaskGroup(of: Void.self) { group in
            for (number, session) in database.writers.enumerated() {
                let writer = Writer(
                    number: number + 1, numbers: WriteNumbers(writer: number + 1), session: session, board: board,
                    queue: queue, store: store,
                    judge: judge, scopes: scopes, database: database, report: report
                )
                group.addTask { await writer.run() }
            }
        }
    }

    private func claimer(_ clock: DatabaseClock, once: Bool) -> Claimer {
        Claimer(
            board: board, queue: queue, registry: registry, clock: clock, bell: bell, database: database,
            report: report, lease: configuration.lease, pollInterval: configuration.pollInterval, once: once,
            conditionalParts: configuration.isConditional ? configuration.expand : nil
        )
    }

    private func fetcher(
        _ client: Client, _ credentials: CredentialKeeper, _ health: APIHealth, _ clock: DatabaseClock
    ) -> Fetcher {
        Fetcher(
            board: board, clock: clock, client: client, credentials: credentials, scopes: scopes, health: health,
            judge: judge, budget: budget, log: log
        )
    }

    private var databaseClock: DatabaseClock {
        DatabaseClock(session: database.keep, credentialName: configuration.credentialName, log: log) {
            [governor] pause in await governor.heed(pause)
        }
    }

    func apiHealth(_ client: Client) -> APIHealth {
        APIHealth(board: board, governor: governor, client: client, budget: budget, log: log)
    }

    func credentialKeeper(_ client: Client, _ health: APIHealth, isOneShot: Bool) -> CredentialKeeper {
        CredentialKeeper(
            source: credentials, store: store, scopes: scopes, board: board, client: client, budget: budget,
            health: health, governor: governor, log: log, stopsOnTrouble: isOneShot
        )
    }

    private var keeper: LeaseKeeper {
        LeaseKeeper(
            board: board, queue: queue, registry: registry, database: database, bell: bell, report: report,
            lease: configuration.lease, mediaLife: configuration.mediaLife,
            transcriptLife: configuration.transcriptLife, log: log
        )
    }

    private func endOnMisfit() async {
        let watch = SchemaWatch(session: database.keep, schema: configuration.database.schema)
        guard let error = await watch.tooNew() else { return }
        misfit.withLock { $0 = error }
        stop()
    }

    private func sweeper(_ client: Client, _ health: APIHealth, _ credentials: CredentialKeeper) -> Sweeper? {
        configuration.sweepInterval.map { interval in
            Sweeper(
                walker: ListWalker(
                    board: board, client: client, credentials: credentials, health: health, budget: budget),
                store: WalkStore(bootID: bootID, name: "sweep", session: database.scopes), interval: interval, log: log)
        }
    }

    private func pulse(_ credentials: CredentialKeeper?) -> Pulse {
        Pulse(
            board: board, database: database, credentials: credentials, scopes: scopes, report: report,
            registry: registry, interval: configuration.heartbeatInterval,
            noteInterval: configuration.noteInterval, vitals: vitals, log: log
        )
    }

    private func startUpkeep(
        _ channel: String, _ credentials: CredentialKeeper, _ pulse: Pulse, _ sweeper: Sweeper?
    ) -> Task<Void, Never> {
        let keeper = keeper
        let rings = sharedRings ?? Rings()
        rings.add(Rings.Ring(channel: channel, bell: bell, health: database.health))
        let doorbell = sharedRings == nil ? Doorbell(database: database, rings: rings) : nil
        let watch = Watch(session: database.keep, health: database.health, limits: configuration.watch, log: log)
        let purger = configuration.purgesOnScopeLoss ? PartPurger(store: store) : nil
        return Task { [scopes, governor] in
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await governor.run() }
                if let purger { group.addTask { await purger.run(scopes) } }
                if let sweeper { group.addTask { await sweeper.run() } }
                group.addTask { await keeper.extendLeases() }
                group.addTask { await keeper.watchOthers() }
                group.addTask { await keeper.keepUp() }
                if let doorbell { group.addTask { await doorbell.run() } }
                group.addTask { await pulse.run() }
                group.addTask { await watch.run() }
                group.addTask { await self.endOnMisfit() }
                group.addTask { await credentials.watch() }
            }
        }
    }
}
