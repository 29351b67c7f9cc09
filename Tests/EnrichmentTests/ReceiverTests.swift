import AskElephant
import Enrichment
import Receiver
import Simulator
import TestKit
import Testing

@Suite struct ReceiverTests {
    private static let events = "SELECT count(*) FROM webhook_events"
    private static let jobs = "SELECT count(*) FROM enrichment_queue"
    private static let engagement = "ngmt_01JZ0A1B2C3D4E5F6G7H8J9K0M"

    private func run(
        timeout: Duration = .seconds(10), connections: Int = 256, heartbeat: Duration = .seconds(60),
        secrets: SecretLines = SecretLines([ReceiverLab.secret]),
        _ test: (TestDatabase, ReceiverLab) async throws -> Void
    ) async throws {
        try await withTestDatabase { database in
            let lab = try await ReceiverLab(database.configuration(), secrets: secrets) { configuration in
                configuration.requestTimeout = timeout
                configuration.maxConnections = connections
                configuration.heartbeatInterval = heartbeat
            }
            let outcome: Result<Void, any Error>
            do { outcome = .success(try await test(database, lab)) } catch { outcome = .failure(error) }
            await lab.stop()
            try outcome.get()
        }
    }

    // MARK: What is taken

    @Test func anEventIsOneJobHoweverOftenItIsDelivered() async throws {
        try await run { database, lab in
            let message = lab.event("v1.engagement.updated", Self.engagement, message: 1, event: 1)
            let status = try await lab.send(message)
            #expect(status == 204)
            // Committed before the answer was given.
            #expect(
                try await database.value("SELECT engagement_id || ' ' || reason FROM enrichment_queue")
                    == "\(Self.engagement) webhook")
            #expect(
                try await database.value(
                    "SELECT concat_ws(' ', message_id, event_id, type, workspace_id, object_id, outcome) FROM webhook_events"
                )
                    == "msg_1 evt_1 v1.engagement.updated wrks_1 \(Self.engagement) queued")
            #expect(try await lab.send(message) == 204)
            #expect(
                try await lab.send(lab.event("v1.engagement.updated", Self.engagement, message: 2, event: 1)) == 204)
            #expect(
                try await lab.send(lab.event("v1.engagement.updated", Self.engagement, message: 1, event: 2)) == 204)
            #expect(try await database.count(Self.events) == 1)
            #expect(try await database.count(Self.jobs) == 1)
            #expect(
                try await lab.send(lab.event("v1.engagement.updated", Self.engagement, message: 3, event: 3)) == 204)
            #expect(try await database.count(Self.jobs) == 2)
        }
    }

    @Test(
        arguments: [
            ("v1.engagement.created", engagement, "queued", "webhook"),
            ("v1.engagement.transcript_timeline.completed", engagement, "queued", "webhook"),
            ("v1.engagement.deleted", engagement, "queued", "deleted"), ("v1.contact.updated", "cnt_1", "spread", nil),
            ("v1.company.deleted", "cmp_1", "spread", nil), ("v1.tag.created", "tag_1", "spread", nil),
            ("v1.unheard.of", engagement, "ignored", nil), ("v1.engagement.updated", "cnt_1", "ignored", nil),
        ] as [(String, String, String, String?)])
    func eachTypeHasItsEffect(type: String, object: String, outcome: String, reason: String?) async throws {
        try await run { database, lab in
            #expect(try await lab.send(lab.event(type, object)) == 204)
            #expect(try await database.value("SELECT outcome FROM webhook_events") == outcome)
            #expect(try await database.value("SELECT string_agg(reason, ',') FROM enrichment_queue") == reason)
            let changes = try await database.value(
                "SELECT string_agg(kind || ' ' || entity_id, ',') FROM entity_changes")
            #expect((changes != nil) == (outcome == "spread"))
        }
    }

    @Test func bothFamiliesOfHeadersAreTaken() async throws {
        try await run { database, lab in
            let message = ReceiverLab.sender.message(
                1, event: 1, type: "v1.engagement.updated", object: #""id":"\#(Self.engagement)""#,
                time: ReceiverLab.now,
                isUnbranded: true)
            let status = try await lab.send(message)
            #expect(status == 204)
            #expect(try await database.count(Self.jobs) == 1)
        }
    }

    /// First the old secret, then both, then the new one, as an operator would write them into the file.
    @Test func aRotationOfTheSecretLosesNothing() async throws {
        let (old, new) = (ReceiverLab.secret, "whsec_" + String(repeating: "QUJD", count: 8))
        let secrets = SecretLines([old])
        try await run(secrets: secrets) { database, lab in
            func status(_ secrets: String...) async throws -> Int? {
                let sender = WebhookSender(secrets: secrets)
                return try await lab.send(lab.event("v1.engagement.updated", Self.engagement, sender: sender))
            }
            #expect(try await status(old) == 204)
            #expect(try await status(new) == 401)
            secrets.lines = [new, old]
            try await eventually("the new one is taken") { try await status(new) == 204 }
            #expect(try await status(old) == 204)
            #expect(try await status(new, old) == 204)
            // A file that is being written is no reason to take nothing.
            secrets.lines = []
            #expect(try await status(old) == 204)
            secrets.lines = [new]
            try await eventually("the old one is not taken") { try await status(old) == 401 }
            #expect(try await status(old, new) == 204)
        }
    }

    // MARK: What is refused

    private static func unsigned(_ name: String) -> WebhookSender.Message {
        var message = signed("{}")
        message.headers.removeAll { $0.name == name }
        return message
    }

    private static func signed(_ body: String, _ offset: Int64 = 0, by sender: WebhookSender = ReceiverLab.sender)
        -> WebhookSender.Message
    {
        sender.signed(Array(body.utf8), id: "msg_1", time: ReceiverLab.now + offset)
    }

    private static let stranger = WebhookSender(secrets: ["whsec_" + String(repeating: "QUJD", count: 8)])

    enum Refused: CaseIterable {
        case withoutID, withoutTime, withoutSignature, tooOld, tooNew, forged, malformed

        /// Signed when it is sent: the tests before may take longer than a signature is good for.
        fileprivate var message: WebhookSender.Message {
            switch self {
            case .withoutID: unsigned("svix-id")
            case .withoutTime: unsigned("svix-timestamp")
            case .withoutSignature: unsigned("svix-signature")
            case .tooOld: signed("{}", -1_000)
            case .tooNew: signed("{}", 1_000)
            case .forged: signed("{}", by: stranger)
            case .malformed: signed("[1]")
            }
        }

        var answer: (cause: String, status: Int) {
            switch self {
            case .withoutID, .withoutTime, .withoutSignature: ("unsigned", 400)
            case .tooOld: ("too_old", 400)
            case .tooNew: ("too_new", 400)
            case .forged: ("forged", 401)
            case .malformed: ("malformed", 400)
            }
        }
    }

    @Test(arguments: Refused.allCases) func whatIsNotSignedTouchesNoDatabase(_ refused: Refused) async throws {
        let (message, (cause, status)) = (refused.message, refused.answer)
        try await run { database, lab in
            for _ in 0..<5 { #expect(try await lab.send(message) == status) }
            let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'engagement-worker receive'"
            let open = try await database.count(sessions + " AND datname = current_database()")
            #expect(open == 0)
            let refused = lab.log.records(of: .webhookRefused)
            #expect(refused.count == 1, "once, not five times")
            #expect(refused.first?.fields[.cause] == .string(cause))
        }
    }

    @Test(arguments: [
        ("wrong_path", 404, "/", "POST"), ("wrong_path", 404, "/webhooks/more", "POST"),
        ("wrong_method", 405, "/webhooks", "GET"), ("wrong_method", 405, "/webhooks", "PUT"),
    ])
    func onlyPostsToOnePathAreTaken(cause: String, status: Int, target: String, method: String) async throws {
        try await run { database, lab in
            let connection = try RawConnection(lab.port)
            let message = lab.event("v1.engagement.updated", Self.engagement)
            await connection.write(ReceiverLab.request(message, target: target, method: method))
            #expect(await connection.answer()?.status == status)
            #expect(await connection.isClosed())
            #expect(lab.log.records(of: .webhookRefused).map { $0.fields[.cause] } == [.string(cause)])
            #expect(try await database.count(Self.events) == 0)
        }
    }

    @Test func aBodyIsAMebibyteAtMost() async throws {
        try await run { database, lab in
            let padding = String(repeating: "x", count: (1 << 20) - 400)
            let large = ReceiverLab.sender.message(
                1, event: 1, type: "v1.engagement.updated",
                object: #""id":"\#(Self.engagement)","title":"\#(padding)""#,
                time: ReceiverLab.now)
            #expect(large.body.count > 1_000_000)
            #expect(try await lab.send(large) == 204)
            let declared = try RawConnection(lab.port)
            await declared.write("POST /webhooks HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n")
            #expect(await declared.answer()?.status == 413)
            #expect(await declared.isClosed())
            // One that does not say how much there will be.
            let endless = try RawConnection(lab.port)
            await endless.write("POST /webhooks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            let chunk = "10000\r\n" + String(repeating: "x", count: 1 << 16) + "\r\n"
            var chunks = 0
            while chunks < 1_000, await endless.write(chunk) { chunks += 1 }
            #expect(chunks < 1_000, "it is read without end")
            #expect(lab.log.records(of: .webhookRefused).map { $0.fields[.cause] } == ["too_large"])
            #expect(try await database.count(Self.events) == 1)
        }
    }

    @Test(arguments: [
        "POST /webhooks HTTP/1.1\r\nHost: x\r\nX: " + String(repeating: "x", count: 20_000) + "\r\n\r\n",
        "POST /webhooks HTTP/1.1\r\n" + String(repeating: "X: 0123456789\r\n", count: 2_000) + "\r\n",
        "POST /" + String(repeating: "x", count: 100_000) + " HTTP/1.1\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}", "GARBAGE\r\n\r\n", "POST /webhooks HTTP/9.9\r\n\r\n",
        "POST /webhooks HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST /webhooks HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ])
    func garbageEndsItsConnectionAndNothingElse(garbage: String) async throws {
        try await run(timeout: .seconds(2)) { database, lab in
            for _ in 0..<3 {
                let connection = try RawConnection(lab.port)
                await connection.write(garbage)
                if let answer = await connection.answer() { #expect((400..<500).contains(answer.status)) }
                #expect(await connection.isClosed())
            }
            #expect(lab.log.records(of: .webhookRefused).count == 1, "\(lab.log.records(of: .webhookRefused))")
            #expect(try await lab.send(lab.event("v1.engagement.updated", Self.engagement)) == 204)
            #expect(try await database.count(Self.events) == 1)
        }
    }

    /// Silence, a head drop by drop, and a body drop by drop.
    @Test(arguments: [
        ("", ""), ("POST /webhooks HTTP/1.1\r\n", "X: y\r\n"),
        ("POST /webhooks HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", "x"),
    ])
    func aRequestThatTakesTooLongIsCutOff(begin: String, drop: String) async throws {
        try await run(timeout: .seconds(1)) { database, lab in
            let connection = try RawConnection(lab.port)
            await connection.write(begin)
            let start = ContinuousClock.now
            if drop.isEmpty {
                #expect(await connection.isClosed())
            } else {
                try await eventually(within: .seconds(20), "it is closed") { await !connection.write(drop) }
            }
            #expect(ContinuousClock.now - start > .milliseconds(500))
            #expect(try await lab.send(lab.event("v1.engagement.updated", Self.engagement)) == 204)
            #expect(try await database.count(Self.events) == 1)
        }
    }

    // MARK: Connections

    @Test func pipelinedRequestsAreAnsweredInTheirOrder() async throws {
        try await run { database, lab in
            let connection = try RawConnection(lab.port)
            var bytes: [UInt8] = []
            for number in 0..<50 {
                var message = lab.event("v1.engagement.updated", Self.engagement)
                if number % 2 == 1 { message.headers[2].value = "v1,wrong" }
                bytes += ReceiverLab.request(message)
            }
            await connection.write(bytes)
            for number in 0..<50 { #expect(await connection.answer()?.status == (number % 2 == 1 ? 401 : 204)) }
            #expect(try await database.count(Self.events) == 25)
        }
    }

    /// Others wait until there is room.
    @Test func connectionsAreBounded() async throws {
        try await run(connections: 4) { database, lab in
            var open: [RawConnection] = []
            for _ in 0..<4 {
                let connection = try RawConnection(lab.port)
                await connection.write(ReceiverLab.request(lab.event("v1.engagement.updated", Self.engagement)))
                #expect(await connection.answer()?.status == 204)
                open.append(connection)
            }
            let fifth = try RawConnection(lab.port)
            await fifth.write(ReceiverLab.request(lab.event("v1.engagement.updated", Self.engagement)))
            async let answer = fifth.answer()
            #expect(try await database.count(Self.events) == 4)
            open.removeLast()
            #expect(await answer?.status == 204)
            #expect(try await database.count(Self.events) == 5)
        }
    }

    // MARK: The database

    /// Somebody's trigger refuses one: the others of its batch are taken, and it is delivered again until that is mended.
    @Test func anEventThatPostgresRefusesHarmsNoOther() async throws {
        try await run { database, lab in
            try await database.run(
                """
                CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN RAISE EXCEPTION 'not this one'; END $$;
                CREATE TRIGGER refuse BEFORE INSERT ON enrichment_queue FOR EACH ROW
                WHEN (NEW.engagement_id = '\(Self.engagement)') EXECUTE FUNCTION refuse()
                """)
            let messages = (0..<20).map { number in
                lab.event("v1.engagement.updated", number == 7 ? Self.engagement : "ngmt_\(number)")
            }
            let statuses = try await withThrowingTaskGroup(of: (Int, Int?).self) { group in
                for (number, message) in messages.enumerated() {
                    group.addTask { (number, try await lab.send(message)) }
                }
                return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
            }
            #expect(statuses[7] == 503)
            #expect(statuses.values.count { $0 == 204 } == 19)
            #expect(try await database.count(Self.events) == 19)
            try await database.run("DROP TRIGGER refuse ON enrichment_queue")
            #expect(try await lab.send(messages[7]) == 204)
            #expect(try await database.count(Self.jobs) == 20)
        }
    }

    @Test func oldEventsAreForgotten() async throws {
        try await run(heartbeat: .seconds(1)) { database, lab in
            try await database.run(
                """
                INSERT INTO webhook_events (message_id, type, outcome, received_at)
                SELECT 'old_' || n, 'v1.tag.updated', 'spread', now() - interval '31 days' FROM generate_series(1, 1500) AS n
                """)
            #expect(try await lab.send(lab.event("v1.engagement.updated", Self.engagement)) == 204)
            try await database.wait(for: Self.events, toBe: "1")
            let beat = lab.log.records(of: .receiverHeartbeat).last
            #expect(beat?.fields[.stored] == 1 && beat?.fields[.db] == "ok")
        }
    }
}
