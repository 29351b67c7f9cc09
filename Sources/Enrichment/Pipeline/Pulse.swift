import Postgres

/// The heartbeat: everything that a runbook's alerts need, every minute, also when idle and while Postgres is away.
struct Pulse: Sendable {
    let board: JobBoard
    let database: Database
    let credentials: CredentialSource
    let apiHealth: APIHealth
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
        let judgement = judge(summary, lost: lost || summary == nil)
        return Heartbeat(
            verdict: judgement.verdict, why: judgement.why, limitedBy: judgement.limit, due: summary?.due,
            oldestDueSeconds: summary?.oldestDueSeconds, backgroundDue: summary?.backgroundDue,
            waiting: summary?.waiting, inFlight: inHand.inFlight, done: counts.done, dead: counts.dead,
            lastSuccessSeconds: counts.lastSuccess.map { (ContinuousClock.now - $0) / .seconds(1) },
            requestsPerSecond: await board.requestsPerSecond(),
            credential: credentials.credential == nil ? .invalid : .ok,
            db: lost ? .lost : .ok, listen: database.health.isListenLost ? .lost : .ok, partsDenied: []
        )
    }

    private func judge(
        _ summary: QueueSummary?, lost: Bool
    ) -> (verdict: Heartbeat.Verdict, why: String?, limit: Heartbeat.Limit) {
        if lost { return (.blocked, "the database does not serve", .database) }
        if credentials.credential == nil { return (.blocked, "there is no credential", .api) }
        guard let summary, summary.due > 0 else { return (.healthy, nil, .nothing) }
        if !apiHealth.isAlive { return (.blocked, "the API answered nothing for 10 s", .api) }
        guard summary.oldestDueSeconds > 60 else { return (.healthy, nil, .nothing) }
        return (.behind, "the oldest due job waits longer than a minute", .api)
    }
}
