import AskElephant
import Enrichment
import Simulator
import TestKit
import Testing

/// What nobody may find in a log: looked for in the worker's and the server's, and in tables that are not made for it.
@Suite(.serialized) struct CanaryTests {
    private static let word = "canarybird"

    @Test(.timeLimit(.minutes(5))) func nothingOfAnEngagementIsWhereItDoesNotBelong() async throws {
        let seed = TruthSeed.draw("nothingOfAnEngagementIsWhereItDoesNotBelong")
        let options = ["fsync = off", "log_error_verbosity = verbose", "log_min_duration_statement = -1"]
        try await PrivateCluster.run(options: options) { cluster in
            var settings = SimulatorSettings()
            settings.transcriptBytes = 200...400
            settings.children = 1...3
            let simulator = Simulator(seed: seed, settings: settings)
            try await simulator.start()
            do {
                try await run(cluster, simulator, seed)
            } catch {
                await simulator.stop()
                throw error
            }
            await simulator.stop()
        }
    }

    private func run(_ cluster: PrivateCluster, _ simulator: Simulator, _ seed: UInt64) async throws {
        let configuration = Database.Configuration(conninfo: cluster.conninfo, schema: "askelephant")
        let matrix = ScopeMatrix(configuration, simulator) { try await cluster.run($0) }
        var places = Places()
        var canaries = Canaries()
        for (number, one) in ScopeCase.draw(14, seed: seed).enumerated() {
            let played = try await matrix.play(one, number)
            for id in played.ids { canaries.add(matrix.world.truth(id)) }
            try await canaries.expectInjected(played, matrix.world)
            canaries.tokens.insert(played.token)
            try await places.look(matrix, played.log, "\(one)")
        }
        try await expectStored(matrix)

        let log = try await enrichHostile(matrix, configuration)
        try await places.look(matrix, log, "hostile answers")
        canaries.others.insert(Self.word)
        places.add("the server's log", try cluster.serverLog())
        #expect(places.texts["the server's log"]!.contains("somebody's trigger"), "the server has logged an error")
        #expect(places.texts["the server's log"]!.contains("ingest"))

        print("\(canaries.all.count) canaries, \(places.texts.values.map(\.utf8.count).reduce(0, +)) bytes")
        #expect(canaries.all.count > 100)
        for (place, text) in places.texts {
            let found = canaries.all.filter {
                text.contains($0) && !(place.hasSuffix("_raw") && canaries.titles.contains($0))
            }
            #expect(found.isEmpty, "\(place)")
        }
    }

    /// The last case left its parts in the tables that are made for them.
    private func expectStored(_ matrix: ScopeMatrix) async throws {
        let stored = try await matrix.texts(
            """
            SELECT count(*)::text FROM engagement_media WHERE media_url LIKE '%signature=%'
            UNION ALL SELECT count(*)::text FROM engagement_action_items
            UNION ALL SELECT count(*)::text FROM engagement_tags
            """)
        #expect(!stored.contains("0"))
    }

    // MARK: Hostile answers

    /// Refusals, errors and documents that quote what they should not, and a database that refuses.
    private func enrichHostile(_ matrix: ScopeMatrix, _ configuration: Database.Configuration) async throws
        -> RecordedLog
    {
        let answers = Self.hostile
        for (id, answer) in answers { matrix.world.override(id, answer) }
        try await matrix.run(
            """
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF NEW.id = 'ngmt_Refused' THEN RAISE EXCEPTION 'somebody''s trigger'; END IF;
                RETURN NEW;
            END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON engagements FOR EACH ROW EXECUTE FUNCTION refuse();
            """)
        let before = matrix.world.totalRequests
        let rows = answers.keys.map { "('\($0)')" }.joined(separator: ",")
        try await matrix.run("INSERT INTO enrichment_queue (engagement_id) VALUES \(rows)")
        let token = ScopeMatrix.token(0)
        let worker = try await TestWorker(
            configuration, matrix.simulator, credentials: CredentialSource { Secret(token) },
            change: TruthLab.quickRetries)
        try await eventually("all have ended") {
            try await matrix.run(
                "UPDATE enrichment_queue SET available_at = now() WHERE leased_by IS NULL AND available_at > now()")
            return try await matrix.texts("SELECT count(*)::text FROM enrichment_queue") == ["0"]
        }
        try await worker.stop()
        #expect(matrix.world.totalRequests - before > answers.count)
        for (id, answer) in answers {
            #expect(matrix.world.requestCount(for: id) > 0)
            #expect(String(decoding: answer.body, as: UTF8.self).contains(Self.word))
        }
        let ended = try await matrix.texts(
            "SELECT cause FROM dead_letters WHERE key IN ('\(answers.keys.joined(separator: "','"))')")
        #expect(Set(ended).isSuperset(of: ["rejected", "contract", "api", "database", "private"]), "\(ended)")
        return worker.log
    }

    private static var hostile: [String: SimResponse] {
        let mail = "\(word)@people.example"
        func problem(_ status: Int) -> SimResponse {
            .json(
                """
                {"type":"\(word)","title":"\(word)","status":\(status),"detail":"\(mail) may not see \(word)",
                 "errors":[{"field":"\(word)","code":"\(word)","message":"contacts:read \(word)"}]}
                """, status: status)
        }
        func document(_ id: String, _ changes: [String: String?]) -> SimResponse {
            let parts: [String: String?] = [
                "transcript": "\"Ann: \(word)\"", "media_url": "\"https://media.example/\(word)?signature=\(word)\"",
                "contacts": #"[{"id":"cnt_\#(id)","first_name":"\#(word)","emails":[{"email":"\#(mail)"}]}]"#,
            ]
            return .json(TruthDocument(id).with(parts).with(changes).json)
        }
        return [
            "ngmt_Forbidden": problem(403), "ngmt_Rejected": problem(422), "ngmt_Broken": problem(500),
            "ngmt_NoJSON": .json("\(mail) says \(word)"), "ngmt_Half": .json(#"{"id":"ngmt_Half","title":"\#(word)"#),
            "ngmt_Another": document("ngmt_SomethingElse", [:]),
            "ngmt_Nul": document(
                "ngmt_Nul", ["transcript": #""Ann: \#(word)\u0000\ud800""#, "duration_seconds": "1e999999"]),
            "ngmt_Deep": document(
                "ngmt_Deep",
                [
                    "signals": String(repeating: "[", count: 20_000) + "\"\(word)\""
                        + String(repeating: "]", count: 20_000)
                ]),
            "ngmt_Refused": document("ngmt_Refused", [:]),
            "ngmt_Odd": document(
                "ngmt_Odd", ["contacts": "[\"\(mail)\",7]", "owner": "\"\(word)\"", "tags": "{\"\(word)\":1}"]),
        ]
    }
}

/// What must not be found, taken from what the source really says.
private struct Canaries {
    var tokens: Set<String> = []
    var others: Set<String> = []
    var titles: Set<String> = []

    /// Whatever is sent as a signed address.
    private static let media = ["https://media.example/recordings", "SIGNATURE-"]

    var all: Set<String> { tokens.union(others).union(titles).union(Self.media) }

    mutating func add(_ truth: SimEngagement) {
        others.formUnion(Self.of(truth))
        titles.insert(truth.title)
    }

    /// The e-mails, and of each line of the transcript the longest run of plain words.
    private static func of(_ truth: SimEngagement) -> Set<String> {
        let mails = (truth.contacts.flatMap(\.emails) + (truth.owner?.emails ?? [])).map(\.email)
        let lines = (truth.transcript ?? "").split(separator: "\n").compactMap { (line: Substring) -> String? in
            let runs = line.split(whereSeparator: { !($0.isASCII && ($0.isLetter || $0 == " ")) })
            return runs.max { $0.count < $1.count }.map(String.init)
        }
        return Set(mails + lines.filter { $0.count > 12 })
    }

    /// They are in what the API answers to whoever may read all; the token is what was sent.
    func expectInjected(_ played: ScopeMatrix.Played, _ world: World) async throws {
        let key = "sk-apik_canary.all"
        world.setToken(key, scopes: SimScope.all.union(played.one.gate.map { [$0.scope] } ?? []))
        #expect(world.knows(token: played.token))
        #expect(played.requests.contains { $0.status == 200 })
        for id in played.ids {
            let target = "/api/v2/engagements/\(id)?expand=\(SimParts.all.names.joined(separator: ","))"
            let answer = try await world.answer(SimRequest(target: target, authorization: key))
            let body = String(decoding: answer.body, as: UTF8.self)
            let truth = world.truth(id)
            for canary in Self.of(truth) where !body.contains(canary) { Issue.record("\(canary) is not injected") }
            if truth.mediaURL != nil { #expect(Self.media.allSatisfy(body.contains)) }
        }
    }
}

/// Where it is looked for.
private struct Places {
    private(set) var texts: [String: String] = [:]

    mutating func add(_ place: String, _ text: String) { texts[place] = text }

    mutating func look(_ matrix: ScopeMatrix, _ log: RecordedLog, _ when: String) async throws {
        #expect(!log.records(of: .request).isEmpty && !log.records(of: .jobDone).isEmpty)
        add("the log, \(when)", log.records.map { "\($0)" }.joined(separator: "\n"))
        for table in [
            "enrichment_queue", "dead_letters", "scope_denials", "scope_grants", "credentials", "workers",
            "engagement_gaps",
        ] {
            let rows = try await matrix.texts("SELECT to_jsonb(t)::text FROM \(table) AS t")
            add("\(table), \(when)", rows.joined(separator: "\n"))
        }
        add("_parts, \(when)", try await matrix.texts("SELECT _parts::text FROM engagements").joined(separator: "\n"))
        let raw = try await matrix.texts("SELECT _raw::text FROM engagements")
        #expect(!raw.isEmpty && raw.allSatisfy { $0.contains("ngmt_") })
        add("\(when) _raw", raw.joined(separator: "\n"))
    }
}
