import Enrichment
import Foundation
import Glibc
import HTTPTypes
import Simulator
import TestKit
import Testing

@testable import Monitor

/// What watches a process over HTTP, and what a process tells those who wait for it.
struct MonitorTests {
    private func beat(_ change: (inout Heartbeat) -> Void = { _ in }) -> Heartbeat {
        var beat = Heartbeat(
            verdict: .healthy, why: nil, limitedBy: .nothing, due: 0, oldestDueSeconds: 0, backgroundDue: 0, waiting: 0,
            inFlight: 0, done: 0, dead: 0, lastSuccessSeconds: nil, requestsPerSecond: 0, credential: .ok, db: .ok,
            listen: .ok, partsDenied: [])
        change(&beat)
        return beat
    }

    private func reading(
        _ beat: Heartbeat?, age: Duration = .seconds(3), workspace: String? = nil, activity: Activity = Activity()
    ) -> Vitals.Reading {
        Vitals.Reading(workspace: workspace, beat: beat, age: beat == nil ? .zero : age, activity: activity)
    }

    private func answer(_ path: String, _ readings: [Vitals.Reading], isVerbose: Bool = false) -> Monitor.Answer {
        Monitor.answer(.get, path, isVerbose: isVerbose, readings, version: "1")
    }

    @Test func aliveIsWhoMoves() {
        #expect(answer("/livez", [reading(nil)]).status == .ok)
        #expect(answer("/livez", [reading(beat { $0.verdict = .blocked })]).status == .ok)
        let stuck = answer("/livez", [reading(beat()), reading(beat(), age: .seconds(60), workspace: "acme")])
        #expect(stuck.status == .serviceUnavailable && stuck.text == "acme has not moved for 60 s\n")
    }

    @Test func readyIsWhoWorksOrWould() {
        #expect(answer("/readyz", []).status == .serviceUnavailable)
        #expect(answer("/readyz", [reading(nil)]).status == .serviceUnavailable)
        for verdict in [Heartbeat.Verdict.healthy, .behind, .paused] {
            #expect(answer("/readyz", [reading(beat { $0.verdict = verdict })]).status == .ok)
        }
        let blocked = reading(beat { ($0.verdict, $0.why) = (.blocked, "the API does not serve") }, workspace: "acme")
        let answered = answer("/readyz", [reading(beat(), workspace: "globex"), blocked])
        #expect(answered.status == .serviceUnavailable && answered.text == "acme: the API does not serve\n")
        let all = answer("/readyz", [reading(beat(), workspace: "globex"), blocked], isVerbose: true)
        #expect(all.text == "globex: ok\nacme: the API does not serve\n")
        #expect(answer("/readyz", [reading(beat(), age: .seconds(61))]).status == .serviceUnavailable)
    }

    /// One of several workers of a process may have come to its end: nobody kills the others for that.
    @Test func whoHasEndedIsNoReasonToKillTheOthers() {
        let ended = Vitals.Reading(
            workspace: "acme", beat: beat(), age: .seconds(900), activity: Activity(), hasEnded: true)
        let both = [ended, reading(beat(), workspace: "globex")]
        #expect(answer("/livez", both).status == .ok)
        #expect(answer("/readyz", both).text == "acme: it has ended\n")
        #expect(!DeadMansSwitch.isWell(both))
        // Its last word would be told for ever, and its heartbeat would look stuck; what it did remains done.
        let lines = Metrics.text(both, version: "1").split(separator: "\n")
        #expect(!lines.contains { $0.hasPrefix("engagement_worker_heartbeat_age_seconds{workspace=\"acme\"") })
        #expect(!lines.contains { $0.hasPrefix("engagement_worker_verdict{workspace=\"acme\"") })
        #expect(lines.contains("engagement_worker_requests_total{workspace=\"acme\"} 0"))
        #expect(lines.contains("engagement_worker_heartbeat_age_seconds{workspace=\"globex\"} 3"))
    }

    /// The alerts tell one that has not come to work yet by this: its counters are there, a heartbeat is not.
    @Test func whoStartsHasCountersAndNoHeartbeat() {
        let text = Metrics.text([reading(nil, workspace: "acme")], version: "1")
        #expect(text.contains("\nengagement_worker_requests_total{workspace=\"acme\"} 0\n"))
        #expect(!text.contains("\nengagement_worker_heartbeat_age_seconds{"))
    }

    /// Its last values would say for ever how it was; what it did still counts.
    @Test func whoHasEndedHasNoGauges() throws {
        let ended = Vitals.Reading(
            workspace: "acme", beat: beat { $0.lastSuccessSeconds = 1 }, age: .seconds(900), activity: Activity(),
            hasEnded: true)
        let lines = Metrics.text([ended, reading(beat(), workspace: "globex")], version: "1").split(separator: "\n")
        let acme = lines.filter { $0.contains(#"workspace="acme""#) }
        #expect(acme.contains { $0.hasPrefix("engagement_worker_jobs_total{") })
        #expect(acme.allSatisfy { $0.firstMatch(of: /^[a-z_]+_total\{/) != nil }, "\(acme)")
        #expect(lines.contains(#"engagement_worker_verdict{workspace="globex",verdict="healthy"} 1"#))
    }

    @Test func nothingElseIsThere() {
        for path in ["/", "/metrics/", "/livez/x", ""] { #expect(answer(path, []).status == .notFound) }
        #expect(Monitor.answer(.post, "/metrics", isVerbose: false, [], version: "1").status == .methodNotAllowed)
    }

    /// Fifteen at most, ages first, and none that is not known.
    @Test func metricsAreFewAndNoneLies() async throws {
        #expect(Metrics.names.count <= 15)
        #expect(Metrics.names.prefix(3).allSatisfy { $0.hasSuffix("_age_seconds") })
        let away = beat { beat in
            (beat.due, beat.oldestDueSeconds, beat.backgroundDue, beat.waiting, beat.db) = (nil, nil, nil, nil, .lost)
        }
        let text = Metrics.text([reading(away)], version: "1")
        for name in ["oldest_due_age_seconds", "due_jobs", "waiting_jobs", "last_success_age_seconds"] {
            #expect(!text.split(separator: "\n").contains { $0.hasPrefix("engagement_worker_\(name)") }, "\(name)")
        }
        #expect(text.contains(#"engagement_worker_dependency_ok{dependency="database"} 0"#))
        #expect(text.contains("engagement_worker_heartbeat_age_seconds 3\n"))
    }

    /// `promtool` has nothing to say against them, whatever stands in a name.
    @Test func metricsAreWhatPrometheusReads() async throws {
        var activity = Activity()
        for outcome in JobDone.Outcome.allCases {
            activity.add(
                JobDone(
                    jobID: 1, engagementID: "ngmt_1", reason: nil, outcome: outcome,
                    cause: "a \"cause\"\\\nof two lines",
                    httpStatus: 200, claim: 1, attempt: 0, waitMilliseconds: 1_500, fetchMilliseconds: 20,
                    writeMilliseconds: 5, requests: 2, partsMissing: [], coalesced: 0, requestID: nil, worker: "1"))
        }
        let full = beat { $0.lastSuccessSeconds = 1.25 }
        let readings = ["acme", "glo\"bex\\"].map { reading(full, workspace: $0, activity: activity) }
        let text = Metrics.text(readings, version: "1.0")
        #expect(text.contains(#"engagement_worker_last_success_age_seconds{workspace="acme"} 4.25"#))
        #expect(text.contains(#"engagement_worker_job_wait_seconds_total{workspace="acme"} 15"#))
        let checked = try await Program.run("promtool", ["check", "metrics"], input: text)
        #expect(checked.status == 0, "\(checked.output)\(checked.errors)")
    }

    @Test func aProcessAnswers() async throws {
        try await Stage.run { stage in
            let worker = try await stage.worker(["--http-address", "127.0.0.1:0"])
            let ready = try #require(worker.records(of: "monitor.ready").first?["address"] as? String)
            func get(_ path: String, _ flags: [String] = []) async throws -> (status: String, body: String) {
                let got = try await Program.run(
                    "curl", ["-s", "-w", "\n%{http_code}", "http://\(ready)\(path)"] + flags)
                let lines = got.output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
                return (lines.last ?? "", lines.dropLast().joined(separator: "\n"))
            }
            #expect(try await get("/livez").status == "200")
            try await eventually("it is ready") { try await get("/readyz").status == "200" }
            try await stage.insert(stage.ids(0..<5))
            try await stage.drained()
            // It counts once the commit's answer is there.
            try await eventually("five are counted") {
                let metrics = try await get("/metrics").body
                return metrics.contains("engagement_worker_jobs_total{outcome=\"enriched\"} 5\n")
                    && metrics.contains("engagement_worker_requests_total 5\n")
            }
            #expect(try await get("/metrics", ["-I"]).status == "200")
            #expect(try await get("/nothing").status == "404")
            #expect(try await get("/metrics", ["-d", "x"]).status == "405")

            stage.world.invalidate(Simulator.demoToken)
            try await stage.insert(stage.ids(5..<6))
            try await eventually("it says why") {
                let answer = try await get("/readyz?verbose")
                return answer.status == "503" && answer.body == "worker: the API refuses the credential\n"
            }
            #expect(try await get("/livez").status == "200")
            worker.signal(SIGTERM)
            #expect(try await worker.exitStatus() == 0)
            let taken = try SilentListener()
            let refused = try await stage.command(["run", "--http-address", "127.0.0.1:\(taken.port)"])
            #expect(refused.status == 78 && refused.errors.contains("--http-address"))
        }
    }

    /// As many as there is room for send a body that never ends, drop by drop. A probe is answered all the same.
    @Test(.timeLimit(.minutes(2))) func slowConnectionsKeepNoProbeFromItsAnswer() async throws {
        let well = reading(beat())
        let monitor = Monitor(version: "1", log: .none) { [well] }
        let port = UInt16(try await monitor.start(host: "127.0.0.1", port: 0))
        let slow = try (0..<Monitor.maxConnections).map { _ in try RawConnection(port) }
        for connection in slow {
            await connection.write("GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        }
        let dripping = Task {
            while (try? await Task.sleep(for: .milliseconds(200))) != nil {
                for connection in slow { await connection.write("x") }
            }
        }
        for _ in 0..<3 {
            let probe = try RawConnection(port)
            await probe.write("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            let answer = await probe.answer()
            #expect(answer?.status == 200 && answer?.headers["connection"] == "close")
        }
        dripping.cancel()
        await dripping.value
        // A head has a bound, too.
        let large = try RawConnection(port)
        await large.write("GET /livez HTTP/1.1\r\nX: \(String(repeating: "x", count: 20_000))\r\n\r\n")
        if let answer = await large.answer() { #expect((400..<500).contains(answer.status)) }
        #expect(await large.isClosed())
    }

    /// All of a long answer arrives before its connection is closed.
    @Test func aLongAnswerIsWhole() async throws {
        let readings = (0..<3_000).map { reading(beat(), workspace: "workspace-\($0)") }
        let monitor = Monitor(version: "1", log: .none) { readings }
        let port = try await monitor.start(host: "127.0.0.1", port: 0)
        let text = Metrics.text(readings, version: "1")
        let got = try await Program.run("curl", ["-s", "http://127.0.0.1:\(port)/metrics"])
        let isWhole = got.output == text
        #expect(got.status == 0 && text.utf8.count > 4_000_000 && isWhole, "\(got.output.utf8.count) bytes")
    }

    /// The system ends the listening, which no test of a whole process can bring about.
    @Test func aPortThatIsLostIsOpenedAnewAndBothAreSaid() async throws {
        let log = RecordedLog()
        let well = reading(beat())
        let monitor = Monitor(version: "1", log: log.log) { [well] }
        let port = try await monitor.start(host: "127.0.0.1", port: 0)
        try #require(Self.endListening(on: UInt16(port)))
        try await eventually("it is open again") { log.records(of: .monitorReady).count == 2 }
        #expect(log.records(of: .monitorLost).map(\.level) == [.warning])
        #expect(
            log.records(of: .monitorReady).map { $0.fields[.address] == .string("127.0.0.1:\(port)") } == [true, true])
        let live = try await Program.run("curl", ["-s", "http://127.0.0.1:\(port)/livez"])
        #expect(live.output == "ok\n")
    }

    /// Ends the socket of this process that listens on the port.
    private static func endListening(on port: UInt16) -> Bool {
        for descriptor in Int32(3)..<Int32(min(65_536, sysconf(Int32(_SC_OPEN_MAX)))) {
            var isListening: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            guard getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &size) == 0, isListening == 1 else {
                continue
            }
            var address = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let isNamed = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) == 0 }
            }
            guard isNamed, address.sin_family == sa_family_t(AF_INET), address.sin_port == port.bigEndian else {
                continue
            }
            return shutdown(descriptor, Int32(SHUT_RDWR)) == 0
        }
        return false
    }

    /// It answers also while the database is not there yet: whoever starts it is not to kill it for that.
    @Test func aProcessThatWaitsForItsDatabaseIsAlive() async throws {
        try await Stage.run { stage in
            let silent = try SilentListener()
            let worker = try stage.start(
                ["run", "--http-address", "127.0.0.1:0", "--start-timeout", "20s"],
                ["DATABASE_URL": "host=127.0.0.1 port=\(silent.port) dbname=x user=x"])
            try await worker.waitFor("monitor.ready")
            let address = try #require(worker.records(of: "monitor.ready").first?["address"] as? String)
            let live = try await Program.run("curl", ["-s", "http://\(address)/livez"])
            #expect(live.output == "ok\n")
            let ready = try await Program.run("curl", ["-s", "http://\(address)/readyz"])
            #expect(ready.output == "worker: starting: it waits for the database or the schema\n")
        }
    }

    @Test func theDeadMansSwitchIsHeldOnlyByTheHealthy() {
        #expect(DeadMansSwitch.isWell([reading(beat())]))
        #expect(!DeadMansSwitch.isWell([]) && !DeadMansSwitch.isWell([reading(nil)]))
        for verdict in [Heartbeat.Verdict.behind, .blocked, .paused] {
            #expect(!DeadMansSwitch.isWell([reading(beat()), reading(beat { $0.verdict = verdict })]))
        }
        #expect(!DeadMansSwitch.isWell([reading(beat(), age: .seconds(60))]))
    }

    @Test func theHeartbeatURLIsAskedForAndItsFailureToldOnce() async throws {
        let server = try StubServer(status: 500)
        defer { server.stop() }
        let log = RecordedLog()
        let well = reading(beat())
        let switching = DeadMansSwitch(
            url: "http://127.0.0.1:\(server.port)/ping/SECRET", interval: .milliseconds(20), log: log.log
        ) { [well] }
        let task = Task { await switching.run() }
        try await eventually("asked a few times") { server.requests.count >= 5 }
        server.answer(with: 200)
        try await eventually("it is told") { !log.records(of: .heartbeatRestored).isEmpty }
        task.cancel()
        await task.value
        #expect(server.requests.allSatisfy { $0 == "GET /ping/SECRET HTTP/1.1" })
        #expect(log.records(of: .heartbeatFailed).count == 1 && log.records(of: .heartbeatRestored).count == 1)
        #expect(log.records(of: .heartbeatFailed).first?.fields[.error] == "HTTP 500")
        #expect(!"\(log.records(of: .heartbeatFailed))".contains("SECRET"))
    }

    @Test func theHeartbeatURLIsASecret() async throws {
        try await Stage.run { stage in
            let server = try StubServer()
            defer { server.stop() }
            let url = "http://127.0.0.1:\(server.port)/ping/SECRET"
            let printed = try await stage.command(["config", "print"], ["ENGAGEMENT_WORKER_HEARTBEAT_URL": url])
            #expect(printed.status == 0 && !printed.output.contains("SECRET"))
            let worker = try await stage.worker([], ["ENGAGEMENT_WORKER_HEARTBEAT_URL": url])
            try await eventually(within: .seconds(90), "it is asked for") {
                server.requests.contains("GET /ping/SECRET HTTP/1.1")
            }
            let flag = try await stage.command(["run", "--heartbeat-url", url])
            #expect(flag.status == 64)
            let wrong = try await stage.command(["run"], ["ENGAGEMENT_WORKER_HEARTBEAT_URL": "ftp://SECRET"])
            #expect(wrong.status == 78 && !wrong.errors.contains("SECRET"))
            #expect(!worker.output.contains("SECRET"))
        }
    }
}
