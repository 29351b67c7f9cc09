import ArgumentParser
import AskElephant
import Enrichment
import Glibc
import Postgres
import SQLText
import Simulator

struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Insert ids while a worker runs and show the rows that arrive.",
        discussion: """
            Without a token it works on a local simulator with made-up engagements, whose token lacks a scope at first. With \
            ASKELEPHANT_TOKEN and ids it works on the real API. It writes to the schema of --schema in the database of \
            DATABASE_URL.
            """
    )

    @Argument(help: "Engagement ids; without any, the simulator makes some.") var ids: [String] = []
    @OptionGroup(title: "Settings") var options: SettingsOptions

    func run() async throws {
        var settings = try Setup.settings(options)
        // Somebody reads it, also through a pipe.
        if settings.logFormat == .auto { settings.logFormat = .pretty }
        let simulator = try await startSimulator(&settings)
        let ids = ids.isEmpty ? Self.madeUp(simulator) : ids
        _ = try await Migrator(
            conninfo: try Setup.conninfo(settings), schema: settings.schema, binaryVersion: Version.current
        ).migrate()
        let output = Setup.log(settings, descriptor: 1)
        let worker = Worker(try Setup.worker(settings), credentials: try Setup.credentials(settings), log: output.log)
        try await Setup.within(settings.startTimeout) { try await worker.connect() }
        try await worker.prepare()
        let working = Task { await worker.run() }
        let session = try await Setup.connect(settings, writes: true)
        for id in ids { try await insert(id, session, output) }
        try await waitForEnd(ids, session)
        _ = output.writer.flush(within: .seconds(1))
        try await show(ids, Self.sections, session, settings)
        if let simulator { try await grant(simulator, ids, session, settings, output) }
        worker.stop()
        _ = await working.value
        _ = output.writer.flush(within: .seconds(1))
        await session.close()
        await simulator?.stop()
    }

    /// The simulator stands in when there is no token.
    private func startSimulator(_ settings: inout Settings) async throws -> Simulator? {
        if settings.tokenSource != nil {
            guard !ids.isEmpty else {
                throw Failure(
                    .usage, "name engagement ids to fetch with your token", hint: "engagement-worker demo ngmt_…")
            }
            return nil
        }
        let simulator = Simulator(seed: 2)
        simulator.world.revoke(Self.missingScope)
        try await simulator.start()
        settings.baseURL = simulator.baseURL
        settings.token = Secret(Simulator.demoToken)
        // What is known of your own credential stays as it is.
        settings.credentialName = "demo"
        return simulator
    }

    /// Eight that are finished at the source and one that is not.
    private static func madeUp(_ simulator: Simulator?) -> [String] {
        guard let world = simulator?.world else { return [] }
        let ids = (1...9).map { world.id($0) }
        world.setUnfinished(ids[8])
        return ids
    }

    private func insert(_ id: String, _ session: Session, _ output: LogOutput) async throws {
        _ = output.writer.flush(within: .seconds(1))
        writeOutput("INSERT INTO enrichment_queue (engagement_id) VALUES ('\(TextEscaper.visible(id))');\n")
        try await JobQueue.insert([id], on: session)
    }

    /// Every id has ended: a row, a dead letter, or put off because of the API.
    private func waitForEnd(_ ids: [String], _ session: Session) async throws {
        let end = ContinuousClock.now + .seconds(60)
        for id in ids {
            while ContinuousClock.now < end {
                let state = try await session.query(Statements.stateShow, [.text(id)]).first?.text("state")
                if state != "queued" && state != "running" { break }
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    /// What the simulator's token lacks at first.
    private static let missingScope = Scope.contactsRead.rawValue

    /// The permission that is missing is granted, and what was missing arrives by itself.
    private func grant(
        _ simulator: Simulator, _ ids: [String], _ session: Session, _ settings: Settings, _ output: LogOutput
    ) async throws {
        simulator.world.grant(Self.missingScope)
        writeOutput("\n\(Self.missingScope) is granted to the token; now: engagement-worker scopes recheck\n")
        writeOutput(try await Scopes.recheck(settings.credentialName, session))
        let end = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < end {
            if try await session.query(Statements.demoDenied, [.texts(ids)]).isEmpty { break }
            try await Task.sleep(for: .milliseconds(20))
        }
        try await waitForEnd(ids, session)
        _ = output.writer.flush(within: .seconds(1))
        try await show(ids, Self.filledSections, session, settings)
    }

    private static let sections: [(String, Statement)] = [
        ("engagements", Statements.demoEngagements), ("engagement_crm_links", Statements.demoLinks),
        ("engagement_action_items, engagement_signals", Statements.demoItems),
        ("engagement_contacts, contacts", Statements.demoContacts), ("missing_parts", Statements.demoMissing),
    ]

    /// Those that a grant changes.
    private static let filledSections = sections.suffix(2)

    private func show(
        _ ids: [String], _ sections: some Sequence<(String, Statement)>, _ session: Session, _ settings: Settings
    ) async throws {
        let style = Style.resolve(settings.color, environment: Setup.environment, isTerminal: isatty(1) == 1)
        for (title, statement) in sections {
            let rows = try await session.query(statement, [.texts(ids)])
            writeOutput("\n" + style.paint(title, .cyan) + "\n" + Results(rows: rows).table(style))
        }
    }
}
