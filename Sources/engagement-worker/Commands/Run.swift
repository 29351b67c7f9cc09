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
        let output = Setup.log(settings, descriptor: 1)
        let configuration = try Setup.worker(settings)
        let worker = Worker(configuration, credentials: try Setup.credentials(settings), log: output.log)
        output.log(
            .notice, .workerStart, "starting",
            [
                .version: .string(Version.current), .pid: .integer(Int(getpid())), .host: .string(configuration.host),
                .schema: .string(settings.schema), .concurrency: .integer(settings.concurrency),
                .expectedPeakMegabytes: .integer(Footprint(configuration).peakMegabytes),
                .configuration: .strings(settings.summary),
            ]
        )
        if Setup.isTokenExposed(settings) {
            output.log(
                .warning, .credentialExposed, "other users of this machine may read the token's file",
                [.hint: "chmod o-rwx the file that ASKELEPHANT_TOKEN_FILE names"])
        }
        let receiver = settings.receives ? try Setup.receiver(settings, log: output.log) : nil
        let lifecycle = Lifecycle(worker, receiver, output)
        let listening = Task { for await signal in signals { lifecycle.handle(signal) } }
        defer { listening.cancel() }
        do {
            if settings.autoMigrate { try await Migrate.apply(settings, log: output.log) }
            try await Setup.within(settings.startTimeout) { try await worker.connect() }
            try await worker.prepare()
            lifecycle.isReady()
            if let receiver { try await Setup.start(receiver, settings) }
            async let upkeep: Void? = receiver?.keepUp()
            let ended = await worker.run(once: once)
            await receiver?.stop(within: .seconds(2))
            if let misfit = ended.misfit { lifecycle.end(Failure(misfit)) }
            if once, ended.isCredentialRefused { lifecycle.end(.credentialRefused) }
            lifecycle.end(once && ended.dead > 0 ? .found : .ok)
        } catch {
            lifecycle.end(Failure(error))
        }
    }
}

/// What signals mean at which time, and the one way out.
private final class Lifecycle: Sendable {
    private struct State {
        var isReady = false
        var stops = 0
    }

    private let worker: Worker
    private let receiver: Receiver?
    private let output: LogOutput
    private let state = Mutex(State())

    init(_ worker: Worker, _ receiver: Receiver?, _ output: LogOutput) {
        self.worker = worker
        self.receiver = receiver
        self.output = output
    }

    /// From here on there may be jobs in hand.
    func isReady() { state.withLock { $0.isReady = true } }

    func handle(_ signal: UnixSignal) {
        if signal == .sighup {
            receiver?.reload()
            return worker.recheck()
        }
        let (isReady, stops) = state.withLock { state in
            state.stops += 1
            return (state.isReady, state.stops)
        }
        if stops > 1 { end(.stoppedEarly) }
        if !isReady { end(.ok) }
        worker.stop()
    }

    func end(_ failure: Failure) -> Never {
        if failure.code == .schemaMismatch {
            output.log(
                .error, .schemaMismatch, "the schema does not fit",
                [.error: .string(failure.message), .hint: LogValue(failure.hint)])
        }
        output.log(
            .notice, .workerStop, "stopped",
            [.exitCode: .integer(Int(failure.code.rawValue)), .error: .string(failure.message)])
        _ = output.writer.flush(within: .seconds(1))
        failure.exit()
    }

    func end(_ code: ExitCode) -> Never {
        output.log(.notice, .workerStop, "stopped", [.exitCode: .integer(Int(code.rawValue))])
        _ = output.writer.flush(within: .seconds(1))
        _exit(code.rawValue)
    }
}
