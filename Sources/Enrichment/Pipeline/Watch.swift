import Glibc
import Postgres
import SQLText

/// From when on ``Watch`` speaks.
package struct WatchLimits: Sendable {
    package var skew: Duration
    package var deadRows: Int
    package var snapshotAge: Duration
    package var interval: Duration

    package init(
        skew: Duration = .seconds(30), deadRows: Int = 50_000, snapshotAge: Duration = .seconds(60),
        interval: Duration = .seconds(5)
    ) {
        self.skew = skew
        self.deadRows = deadRows
        self.snapshotAge = snapshotAge
        self.interval = interval
    }
}

/// Looks now and then at what nobody's work depends on and what an operator should know: a host's clock that is wrong, and a
/// transaction that keeps vacuum from the queue. Each is told when it begins and when it is over.
struct Watch: Sendable {
    let session: Session
    let health: DatabaseHealth
    let limits: WatchLimits
    let log: Log

    func run() async {
        var clock = Change<Bool>(false)
        var holder = Holder()
        while !Task.isCancelled {
            if !health.isLost {
                try? await look(at: &clock)
                try? await look(at: &holder)
            }
            try? await Task.sleep(for: limits.interval)
        }
    }

    // MARK: The clock

    private func look(at clock: inout Change<Bool>) async throws(PostgresError) {
        let sent = ContinuousClock.now
        let host = hostSeconds()
        guard let row = try await session.query(Statements.clockSkew).first else { return }
        let skew = Duration.seconds((try row.doubleIfPresent("seconds") ?? host) - host)
        // The answer may have been under way for so long.
        let isOff = skew < .zero - limits.skew || skew > limits.skew + (ContinuousClock.now - sent)
        guard clock.becomes(isOff) else { return }
        var milliseconds: LogFields = [.skewMilliseconds: .integer(Int(skew / .milliseconds(1)))]
        if isOff {
            milliseconds.fill(from: [.hint: "set the clock that is wrong: timedatectl set-ntp true"])
            log(
                .warning, .clockSkew, "the host's clock and the database's differ: work goes by the database's",
                milliseconds)
        } else {
            log(.notice, .clockSkew, "the host's clock and the database's agree again", milliseconds)
        }
    }

    private func hostSeconds() -> Double {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
    }

    // MARK: The queue

    /// The oldest snapshot's session, and since when it has been that.
    private struct Holder {
        var told = Change<Bool>(false)
        var pid: Int64?
        var since = ContinuousClock.now
    }

    private func look(at holder: inout Holder) async throws(PostgresError) {
        guard let row = try await session.query(Statements.queueBloat).first else { return }
        let pid = try row.integerIfPresent("pid")
        if pid != holder.pid { (holder.pid, holder.since) = (pid, .now) }
        let age = max(.seconds(try row.doubleIfPresent("age_s") ?? 0), ContinuousClock.now - holder.since)
        let dead = Int(try row.integer("dead"))
        let isHeld = pid != nil && dead >= limits.deadRows && age >= limits.snapshotAge
        guard holder.told.becomes(isHeld) else { return }
        if isHeld {
            log(
                .warning, .queueBloat, "an open transaction keeps vacuum from the queue's finished rows",
                [
                    .pid: LogValue(pid), .n: .integer(dead),
                    .durationMilliseconds: .integer(Int(age / .milliseconds(1))),
                    .hint: "end it: SELECT pg_terminate_backend(pid)",
                ])
        } else {
            log(.notice, .queueBloat, "nothing keeps vacuum from the queue any more", [.n: .integer(dead)])
        }
    }
}

/// A state of which only changes are told.
private struct Change<State: Equatable> {
    private var state: State

    init(_ state: State) { self.state = state }

    mutating func becomes(_ new: State) -> Bool {
        defer { state = new }
        return state != new
    }
}
