import AskElephant
import Enrichment
import Monitor

/// Those who watch a running process: what asks it over HTTP, what waits for its heartbeat, and systemd.
struct Watching: Sendable {
    let systemd: Systemd
    private let readings: @Sendable () -> [Vitals.Reading]

    /// Answers from now on, so also while the worker waits for its database.
    init(_ settings: Settings, _ fleet: Fleet, _ log: Log) async throws {
        systemd = Systemd(environment: Setup.environment)
        readings = { fleet.workers.map(\.reading) }
        if let address = settings.httpAddress {
            let monitor = Monitor(version: Version.current, log: log, readings: readings)
            do { _ = try await monitor.start(host: address.host, port: address.port) } catch {
                throw Failure(.configuration, "--http-address \(address) cannot be listened on: \(error)")
            }
        }
        if let url = settings.heartbeatURL {
            let switching = DeadMansSwitch(url: url.reveal(), log: log, readings: readings)
            Task { await switching.run() }
        }
    }

    /// Tells systemd each few seconds how it is, and that it moves, if it does. Until the task is cancelled.
    func keepUp() async {
        guard systemd.isThere else { return }
        while !Task.isCancelled {
            let readings = readings()
            if readings.allSatisfy(\.isAlive) { systemd.alive() }
            systemd.status(readings.map(Self.line).joined(separator: "; "))
            try? await Task.sleep(for: min(systemd.watchdogInterval ?? .seconds(10), .seconds(10)))
        }
    }

    static func line(_ reading: Vitals.Reading) -> String {
        let name = reading.workspace.map { "\($0): " } ?? ""
        if reading.hasEnded { return name + "ended" }
        guard let beat = reading.beat else { return name + "starting" }
        var facts = [beat.verdict.rawValue] + (beat.why.map { [$0] } ?? [])
        if let due = beat.due { facts.append("\(Wording.bounded(due)) due") }
        facts.append("\(beat.inFlight) in hand")
        if let success = beat.lastSuccessSeconds {
            facts.append("last success \(Wording.seconds(success + reading.age / .seconds(1))) ago")
        }
        return name + facts.joined(separator: " · ")
    }
}
