import AskElephant
import Postgres

/// The heartbeat: everything that a runbook's alerts need, every minute in the log, also when idle and while Postgres is away;
/// and each 10 s in `workers`, for those who ask the database.
struct Pulse: Sendable {
    /// Neither a connection that does not come nor a lock holds the pulse up.
    private static let patience: Duration = .seconds(6)

    let board: JobBoard
    let database: Database
    /// Nil before there is one: while the worker still waits for the database.
    let credentials: CredentialKeeper?
    let scopes: ScopeBook
    let report: Reporter
    let registry: WorkerRegistry
    let interval: Duration
    let noteInterval: Duration
    let vitals: Vitals
    let log: Log
    private let told = ToldFailure()

    init(
        board: JobBoard, database: Database, credentials: CredentialKeeper?, scopes: ScopeBook, report: Reporter,
        registry: WorkerRegistry, interval: Duration, noteInterval: Duration, vitals: Vitals, log: Log
    ) {
        self.board = board
        self.database = database
        self.credentials = credentials
        self.scopes = scopes
        self.report = report
        self.registry = registry
        self.interval = interval
        self.noteInterval = noteInterval
        self.vitals = vitals
        self.log = log
    }

    func run() async {
        var nextLine = ContinuousClock.now + interval
        while !Task.isCancelled {
            let beat = await beat()
            if Task.isCancelled { return }
            vitals.note(beat)
            if .now >= nextLine {
                log(beat)
                nextLine = max(nextLine + interval, .now)
            }
            await note(beat)
            try? await Task.sleep(until: min(nextLine, .now + noteInterval))
        }
    }

    /// What ended since it was told last, by a worker that leaves.
    func noteLast() async {
        if let beat = vitals.current?.beat { await note(beat) }
    }

    /// Tells the database, unless it is away; also that it refuses what the worker needs. Not on the connection that leases and clock need.
    /// What cannot be told now is told with the next one.
    private func note(_ beat: Heartbeat) async {
        // What a session keeps would stay with a pooler that nobody knows of yet.
        guard database.health.isConnected, database.health.knowsPooler else { return }
        let activity = report.takeActivity()
        let failure = await atMost(Self.patience) { [registry, database, report] () -> PostgresError? in
            do throws(PostgresError) {
                try await registry.note(beat, activity, on: database.scopes)
                return nil
            } catch {
                report.putBack(activity)
                return error
            }
        }
        guard let failure = failure ?? nil else { return told.worked() }
        told.tell(failure, "how the worker is and what it did cannot be noted for people", log)
    }

    func beat() async -> Heartbeat {
        let counts = report.snapshot
        let inHand = await board.inHand
        let lost = database.health.isLost
        let summary =
            lost
            ? nil : await atMost(Self.patience) { [database] in try? await QueueSummary.read(on: database.keep) } ?? nil
        let trouble = await credentials?.trouble
        let diagnosis = Diagnosis(
            Diagnosis.Facts(
                due: summary?.due, databaseTrouble: database.health.trouble,
                oldestDueSeconds: summary?.oldestDueSeconds ?? 0, unwritten: inHand.unwritten,
                pausedBy: summary?.pausedBy, credentialTrouble: trouble?.reason,
                apiIsAway: await board.isAPIAway, apiFailedLately: await board.hasAPIFailed(within: .seconds(60))
            )
        )
        return Heartbeat(
            verdict: diagnosis.verdict, why: diagnosis.why, limitedBy: diagnosis.limitedBy, due: summary?.due,
            oldestDueSeconds: summary?.oldestDueSeconds, backgroundDue: summary?.backgroundDue,
            waiting: summary?.waiting, inFlight: inHand.inFlight, done: counts.done, dead: counts.dead,
            lastSuccessSeconds: counts.lastSuccess.map { (ContinuousClock.now - $0) / .seconds(1) },
            requestsPerSecond: await board.requestsPerSecond(),
            credential: trouble == nil ? .ok : .invalid,
            db: lost ? .lost : .ok, listen: database.health.listen,
            partsDenied: await scopes.denied.map(\.rawValue).sorted()
        )
    }
}
