import Postgres

/// Keeps the API's limits together with the other workers of the credential: tells them of a 429, and gets turns for the
/// board's requests while there is a limit, or trials while the API is away.
struct Governor: Sendable {
    /// After Postgres did not give turns, or a trial: one request a second, so that a row which somebody locks stops nothing.
    private static let patience: Duration = .seconds(1)

    let board: JobBoard
    let store: RateStore
    let log: Log

    /// Gets what the board asks for, until it stops.
    func run() async {
        while let need = await board.turnsNeeded() {
            switch need {
            case .turns: await takeTurns()
            case .trial: await takeTrial()
            }
        }
    }

    /// A request that was sent then was answered with 429.
    func limited(sent: ContinuousClock.Instant, after: Duration) async {
        let (isNew, accepted) = await board.rateLimited(sent: sent, after: after)
        if isNew { say(after) }
        // Whoever is not the first of the event tells only that the pause may be longer.
        try? await store.meet(pause: after, sentAgo: .now - sent, accepted: accepted ?? 0)
    }

    /// What a look at the credential's row says.
    func heed(_ look: CredentialStore.Look.Rate?) async {
        guard let look else { return await lift() }
        await hear(limitedAgo: look.limitedAgo, pause: look.pause)
    }

    // MARK: -

    private func takeTurns() async {
        do throws(PostgresError) {
            let taken = ContinuousClock.now
            let turns = try await store.takeTurns()
            if let ago = turns.limitedAgo {
                await hear(limitedAgo: ago, pause: turns.count == 0 ? turns.wait : nil)
            } else {
                await lift()
            }
            guard let step = turns.step else {
                // A limit that Postgres does not know of yet: slowly until it does, or until it is lifted here.
                return await board.grant(1, from: .now + Self.patience / 10, every: .zero)
            }
            guard turns.count > 0 else { return }
            await board.grant(turns.count, from: taken + turns.wait, every: step)
        } catch {
            await board.grant(1, from: .now + Self.patience, every: Self.patience)
        }
    }

    private func takeTrial() async {
        do throws(PostgresError) {
            let wait = try await store.takeTrial()
            guard wait > .zero else { return await board.grant(1, from: .now, every: .zero) }
            try? await Task.sleep(for: wait)
        } catch {
            await board.grant(1, from: .now + Self.patience, every: .zero)
        }
    }

    private func hear(limitedAgo: Duration, pause: Duration?) async {
        let now = ContinuousClock.now
        let (isNew, accepted) = await board.heardOfLimit(
            at: now - limitedAgo, pausedUntil: pause.map { now + $0 })
        if isNew { say(pause ?? .zero) }
        if let accepted { try? await store.meet(pause: .zero, sentAgo: limitedAgo, accepted: accepted) }
    }

    private func lift() async {
        if await board.liftLimit() { log(.notice, .rateRestored, "the API's limit is not met any more") }
    }

    private func say(_ pause: Duration) {
        log(
            .warning, .rateLimited, "the API limits the rate (429): requests wait, uncharged, and are spread then",
            [
                .delayMilliseconds: .integer(Int(pause / .milliseconds(1))),
                .hint: "nothing to do unless worker.heartbeat says behind: then ask AskElephant for a higher limit",
            ])
    }
}
