import ArgumentParser
import AskElephant
import Enrichment
import Glibc
import Receiver
import Synchronization
import UnixSignals

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Work: claim, fetch and write until told to stop.",
        discussion: """
            SIGTERM or SIGINT: stop claiming, finish what is in hand within the drain timeout, give the rest back, exit 0; \
            a second one exits now (75). SIGHUP: read the credential again, try again what it may not read.
            """
    )

    @Flag(help: "End once nothing is due; exit 1 if a job died.") var once = false
    @OptionGroup(title: "Settings") var options: SettingsOptions

    func run() async throws {
        // Before the first line of the log: whoever has read that may send one.
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
        let settings = try Setup.settings(options)
        try OpenFiles.makeRoom(for: settings, receives: settings.receives)
        let output = Setup.serviceLog(settings)
        let members = try settings.members()
        let fleet = Fleet(
            try members.map { (try Setup.worker($0), try Setup.credentials($0)) }, log: output.log)
        for member in members { try Self.introduce(member, output.log) }
        let receiver = settings.receives ? try Setup.receiver(settings, log: output.log) : nil
        let watching = try await Watching(settings, fleet, output.log)
        let lifecycle = Lifecycle(fleet, receiver, watching.systemd, output)
        let listening = Task { for await signal in signals { lifecycle.handle(signal) } }
        defer { listening.cancel() }
        Task { await watching.keepUp() }
        do {
            // Before anything is written, whose schema may be another.
            if settings.autoMigrate, members.count == 1 { try await Migrate.apply(settings, log: output.log) }
            try await Setup.within(settings.startTimeout) { try await fleet.connect() }
            // A schema that is locked, or a right that is missing, may be waited for much longer than a start takes.
            lifecycle.isConnected()
            var steps = Fleet.Steps()
            steps.before = { number in
                guard settings.autoMigrate, members.count > 1 else { return }
                try await Migrate.apply(members[number], log: members[number].log(output.log))
            }
            steps.ready = {
                lifecycle.isReady()
                guard let receiver else { return }
                try await Setup.start(receiver, settings)
                Task { await receiver.keepUp() }
            }
            steps.ended = { number, ended in
                guard let misfit = ended.misfit else { return }
                Failure(misfit).tell(members[number].log(output.log))
            }
            let ended = try await fleet.run(once: once, steps)
            await receiver?.stop(within: .seconds(2))
            if let misfit = ended.compactMap(\.misfit).first { lifecycle.end(Failure(misfit), isTold: true) }
            if once, ended.contains(where: \.isCredentialRefused) { lifecycle.end(.credentialRefused) }
            if once, ended.contains(where: { $0.dead > 0 }) { lifecycle.end(.found) }
            if let person = ended.compactMap(\.pausedBy).first {
                lifecycle.end(
                    Failure(.stoppedEarly, "jobs are due, and paused by \(person)", hint: "engagement-worker resume"))
            }
            lifecycle.end(.ok)
        } catch {
            lifecycle.end(Failure(error))
        }
    }
}

extension Run {
    /// What a worker of these settings begins with.
    private static func introduce(_ settings: Settings, _ log: Log) throws {
        let configuration = try Setup.worker(settings)
        let fields: LogFields = [
            .version: .string(Version.current), .pid: .integer(Int(getpid())), .host: .string(configuration.host),
            .schema: .string(settings.schema), .concurrency: .integer(settings.concurrency),
            .expectedPeakMegabytes: .integer(Footprint(configuration).peakMegabytes),
            .configuration: .strings(settings.summary),
        ]
        let log = settings.log(log)
        log(.notice, .workerStart, "starting", fields)
        Setup.warnIfExposed(settings.databaseURLFile, "database's address", "DATABASE_URL_FILE", log)
        if case .file(let path) = settings.tokenSource {
            let name = settings.workspace.map { "workspace \($0)" } ?? "ASKELEPHANT_TOKEN_FILE"
            Setup.warnIfExposed(path, "token", name, log)
        }
    }
}

extension Settings {
    /// The log of these settings' workspace.
    fileprivate func log(_ log: Log) -> Log {
        workspace.map { log.adding([.workspace: .string($0)]) } ?? log
    }
}

extension Failure {
    /// Of a schema that does not fit.
    fileprivate func tell(_ log: Log) {
        log(.error, .schemaMismatch, "the schema does not fit", [.error: .string(message), .hint: LogValue(hint)])
    }
}

extension ExitCode {
    /// A person must act, unless somebody asked for the end.
    fileprivate var level: LogLevel {
        switch self {
        case .ok, .stoppedEarly: .notice
        case .found, .usage, .schemaMismatch, .databaseUnreachable, .defect, .credentialRefused, .configuration: .error
        }
    }
}

/// What signals mean at which time, and the one way out.
private final class Lifecycle: Sendable {
    private struct State {
        var isConnected = false
        var isReady = false
        var stops = 0
    }

    private let fleet: Fleet
    private let receiver: Receiver?
    private let systemd: Systemd
    private let output: LogOutput
    private let state = Mutex(State())

    init(_ fleet: Fleet, _ receiver: Receiver?, _ systemd: Systemd, _ output: LogOutput) {
        self.fleet = fleet
        self.receiver = receiver
        self.systemd = systemd
        self.output = output
    }

    /// The start is over, and systemd is told.
    func isConnected() {
        state.withLock { $0.isConnected = true }
        systemd.ready()
    }

    /// From here on there may be jobs in hand.
    func isReady() { state.withLock { $0.isReady = true } }

    func handle(_ signal: UnixSignal) {
        if signal == .sighup {
            // Who starts or stops is not ready, and a reload ends with the word that it is.
            let isServing = state.withLock { $0.isConnected && $0.stops == 0 }
            if isServing { systemd.reloading() }
            receiver?.reload()
            fleet.recheck()
            if isServing { systemd.ready() }
            return
        }
        let (isReady, stops) = state.withLock { state in
            state.stops += 1
            return (state.isReady, state.stops)
        }
        systemd.stopping()
        if stops > 1 { end(.stoppedEarly) }
        if !isReady { end(.ok) }
        fleet.stop()
    }

    /// - Parameter isTold: the log has it already.
    func end(_ failure: Failure, isTold: Bool = false) -> Never {
        if failure.code == .schemaMismatch, !isTold { failure.tell(output.log) }
        output.log(
            failure.code.level, .workerStop, "stopped",
            [.exitCode: .integer(Int(failure.code.rawValue)), .error: .string(failure.message)])
        _ = output.writer.flush(within: .seconds(1))
        failure.exit()
    }

    func end(_ code: ExitCode) -> Never {
        output.log(code.level, .workerStop, "stopped", [.exitCode: .integer(Int(code.rawValue))])
        _ = output.writer.flush(within: .seconds(1))
        _exit(code.rawValue)
    }
}
