import ArgumentParser
import Enrichment
import Glibc
import Postgres
import Receiver
import Synchronization
import UnixSignals

struct Receive: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take webhooks, and queue the engagements that they tell of.",
        discussion: """
            POST /webhooks, signed as Svix signs. A request is answered with 2xx once it is committed; with 503 while the \
            database is away, and is then delivered again. SIGTERM or SIGINT: end what is in hand, exit 0. SIGHUP: read the \
            secrets again.
            """
    )

    @OptionGroup(title: "Settings") var options: SettingsOptions

    func run() async throws {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
        let settings = try Setup.settings(options)
        try OpenFiles.makeRoom(for: settings, receives: true)
        let output = Setup.serviceLog(settings)
        let receiver = try Setup.receiver(settings, log: output.log)
        let drainTimeout = settings.drainTimeout
        let listening = Task {
            for await signal in signals {
                if signal == .sighup {
                    receiver.reload()
                    continue
                }
                await receiver.stop(within: drainTimeout)
                output.log(.notice, .receiverStop, "stopped", [.exitCode: .integer(0)])
                _ = output.writer.flush(within: .seconds(1))
                _exit(0)
            }
        }
        defer { listening.cancel() }
        // A schema that does not fit, or a database that is not there, is said before anything is taken.
        await (try Setup.connect(settings, writes: true)).close()
        try await Setup.start(receiver, settings)
        await receiver.keepUp()
    }
}

extension Setup {
    static func receiver(_ settings: Settings, log: Log) throws -> Receiver {
        guard let file = settings.webhookSecretFile else {
            throw Failure(
                .configuration, "no secret of a webhook is named: set ENGAGEMENT_WORKER_WEBHOOK_SECRET_FILE",
                hint: "put the endpoint's signing secret, whsec_…, into a file; one a line during a rotation")
        }
        warnIfExposed(file, "webhooks' secrets", "ENGAGEMENT_WORKER_WEBHOOK_SECRET_FILE", log)
        let secrets = WebhookSecrets { secretLines(file) }
        guard secrets.verifier != nil else {
            throw Failure(.configuration, "\(file) holds no usable secret: each line is whsec_ and base64")
        }
        var configuration = Receiver.Configuration(
            host: settings.receiveAddress.host, port: settings.receiveAddress.port, database: try database(settings))
        configuration.retention = settings.eventRetention
        return Receiver(configuration, secrets: secrets, log: log)
    }

    static func start(_ receiver: Receiver, _ settings: Settings) async throws {
        do { _ = try await receiver.start() } catch {
            throw Failure(.configuration, "\(settings.receiveAddress) cannot be listened on: \(error)")
        }
    }
}
