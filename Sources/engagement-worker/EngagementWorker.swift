import ArgumentParser
import CMalloc
import Glibc

/// The command line: one file a command in `Commands/`.
@main
struct EngagementWorker: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "engagement-worker",
        abstract: "Keeps AskElephant engagements in your Postgres: insert an id, get the row.",
        discussion: """
            Exit codes: 0 done or asked to stop · 1 a check found something · 64 usage · 65 schema and binary do not match · \
            69 database not reached, or it does not serve · 70 a defect · 75 stopped before drained · 77 credential refused · 78 configuration
            """,
        version: Version.current,
        subcommands: [
            Run.self, Receive.self, Backfill.self, Verify.self, Migrate.self, Enqueue.self, Enrich.self, Status.self,
            Doctor.self, Report.self, Scopes.self, Dead.self, Pause.self, Resume.self, Purge.self, Reproject.self,
            Config.self,
            Simulate.self,
            Demo.self,
            VersionCommand.self,
        ],
        defaultSubcommand: Run.self
    )

    static func main() async {
        // A reader of the log that goes away must not end us, and a SIGHUP before its handler stands must not either. Whoever
        // handles none ends with its terminal, unless it was told otherwise (nohup).
        signal(SIGPIPE, SIG_IGN)
        let hangUp = signal(SIGHUP, SIG_IGN)
        // A document's memory goes back to the system when it is written; by itself the C library would keep ever more of it.
        mallopt(M_MMAP_THRESHOLD, 256 << 10)
        mallopt(M_ARENA_MAX, 2)
        if let refusal = SecretFlags.refusal(of: CommandLine.arguments) {
            Failure(.usage, refusal).exit()
        }
        do {
            var command = try parseAsRoot()
            if !(command is Run || command is Receive) { signal(SIGHUP, hangUp) }
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let code as ArgumentParser.ExitCode {
            Glibc.exit(code.rawValue)
        } catch  where isUsage(error) {
            exit(withError: error)
        } catch {
            Failure(error).exit()
        }
    }

    /// ArgumentParser's own errors, help and version among them.
    private static func isUsage(_ error: any Error) -> Bool {
        !(error is Failure) && exitCode(for: error) != .failure
    }
}

enum Version {
    static let current = "0.1.0"
}

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")

    func run() { print("engagement-worker \(Version.current)") }
}
