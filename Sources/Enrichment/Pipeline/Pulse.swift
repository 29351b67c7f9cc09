import AskElephant
import Postgres

/// The heartbeat: everything that a runbook's alerts need, every minute, also when idle and while Postgres is away.
struct Pulse: Sendable {
    let board: JobBoard
    let database: Database
    let credentials: CredentialKeeper
    let scopes: ScopeBook
    let report: Reporter
    let interval: Duration
    let log: Log

    func run() async {
        while true {
            do { try await Task.sleep(for: interval) } catch { return }
            log(await beat())
        }
    }

    func beat() async -> Heartbeat {
        let counts = report.snapshot
        let inHand = await board.inHand
        let lost = database.health.isLost
        let summary = lost ? nil : try? await QueueSummary.read(on: database.keep)
        let trouble = await credentials.trouble
        let diagnosis = Diagnosis(
            Diagnosis.Facts(
                due: summary?.due, oldestDueSeconds: summary?.oldestDueSeconds ?? 0, unwritten: inHand.unwritten,
                pausedBy: summary?.pausedBy, credentialTrouble: trouble?.reason,
                apiIsAway: await board.isAPIAway
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
