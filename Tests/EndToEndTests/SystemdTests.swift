import Enrichment
import Foundation
import Glibc
import Simulator
import TestKit
import Testing

@testable import engagement_worker

/// What a service tells systemd, heard on a real socket.
struct SystemdTests {
    /// A datagram socket as systemd has one.
    private final class NotifySocket {
        let path: String
        private let descriptor: Int32

        init() throws {
            path = TestCluster.folder + "/notify-\(UUID().uuidString.prefix(8))"
            descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
            let isBound = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            try #require(isBound == 0)
        }

        deinit {
            close(descriptor)
            unlink(path)
        }

        /// What has come since this was asked last.
        func messages() -> [String] {
            var all: [String] = []
            var buffer = [UInt8](repeating: 0, count: 8_192)
            while true {
                let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
                guard count > 0 else { return all }
                all.append(String(decoding: buffer[..<count], as: UTF8.self))
            }
        }
    }

    @Test func theWatchdogWantsToHearOfUsHalfAsOften() {
        func interval(_ environment: [String: String]) -> Duration? {
            Systemd(environment: environment, processID: 7).watchdogInterval
        }
        #expect(
            interval([:]) == nil && interval(["WATCHDOG_USEC": "x"]) == nil && interval(["WATCHDOG_USEC": "0"]) == nil)
        #expect(interval(["WATCHDOG_USEC": "30000000"]) == .seconds(15))
        #expect(interval(["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"]) == .seconds(15))
        // Meant for a process that started us.
        #expect(interval(["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"]) == nil)
    }

    @Test func aServiceSaysWhenItIsReadyWhatItDoesAndThatItMoves() async throws {
        try await Stage.run { stage in
            let socket = try NotifySocket()
            var heard: [String] = []
            // Read from the first moment, as systemd does: a full socket takes no more.
            let worker = try stage.start(
                ["run"], ["NOTIFY_SOCKET": socket.path, "WATCHDOG_USEC": "400000", "WATCHDOG_PID": nil])
            func hear(_ text: String) async throws {
                let limit = ContinuousClock.now + .seconds(30)
                while !heard.contains(where: { $0.contains(text) }) {
                    try #require(.now < limit, "\(text) in \(heard)")
                    heard += socket.messages()
                    await Task.yield()
                }
            }
            try await hear("READY=1")
            try await hear("WATCHDOG=1")
            try await stage.insert(stage.ids(0..<3))
            try await stage.drained()
            try await hear("STATUS=healthy")
            try await hear("last success ")
            heard = []
            worker.signal(SIGHUP)
            try await hear("RELOADING=1\nMONOTONIC_USEC=")
            try await hear("READY=1")
            worker.signal(SIGTERM)
            try await hear("STOPPING=1")
            #expect(try await worker.exitStatus() == 0)
            #expect(!heard.joined().contains(Simulator.demoToken))
        }
    }

    /// A SIGHUP while it waits for its database: that it hears it does not make it ready.
    @Test func whoStillStartsIsNotReadyForBeingToldToReload() async throws {
        try await Stage.run { stage in
            let (socket, silent) = (try NotifySocket(), try SilentListener())
            let worker = try stage.start(
                ["run", "--start-timeout", "60s"],
                [
                    "DATABASE_URL": "host=127.0.0.1 port=\(silent.port) dbname=x user=x",
                    "NOTIFY_SOCKET": socket.path, "WATCHDOG_USEC": "200000", "WATCHDOG_PID": nil,
                ])
            try await worker.waitFor("worker.start")
            worker.signal(SIGHUP)
            var heard: [String] = []
            try await eventually("it has moved ten times since") {
                heard += socket.messages()
                return heard.count { $0 == "WATCHDOG=1" } >= 10
            }
            #expect(!heard.contains { $0.contains("READY=1") || $0.contains("RELOADING=1") }, "\(heard)")
            #expect(heard.contains("STATUS=starting"))
            worker.signal(SIGTERM)
            #expect(try await worker.exitStatus() == 0)
        }
    }

    @Test func theStatusOfAWorkerThatHasEndedIsNotItsLastVerdict() {
        let beat = Heartbeat(
            verdict: .healthy, why: nil, limitedBy: .nothing, due: 0, oldestDueSeconds: 0, backgroundDue: 0, waiting: 0,
            inFlight: 0, done: 0, dead: 0, lastSuccessSeconds: nil, requestsPerSecond: 0, credential: .ok, db: .ok,
            listen: .ok, partsDenied: [])
        func line(hasEnded: Bool) -> String {
            Watching.line(
                Vitals.Reading(
                    workspace: "acme", beat: beat, age: .seconds(900), activity: Activity(), hasEnded: hasEnded))
        }
        #expect(line(hasEnded: true) == "acme: ended")
        #expect(line(hasEnded: false) == "acme: healthy · 0 due · 0 in hand")
    }

    /// Stopped, it does not move: systemd hears nothing, and would start it anew.
    @Test func whoDoesNotMoveSaysNothing() async throws {
        try await Stage.run { stage in
            let socket = try NotifySocket()
            let worker = try stage.start(["run"], ["NOTIFY_SOCKET": socket.path, "WATCHDOG_USEC": "400000"])
            try await eventually("it moves") { socket.messages().contains("WATCHDOG=1") }
            try await worker.freeze()
            _ = socket.messages()
            try await stage.database.run("SELECT pg_sleep(1)")
            #expect(socket.messages().isEmpty)
            worker.thaw()
            try await eventually("it moves again") { socket.messages().contains("WATCHDOG=1") }
        }
    }

    @Test func theJournalIsKnownByItsStream() throws {
        let file = TestCluster.folder + "/stream-\(UUID().uuidString)"
        let descriptor = open(file, O_CREAT | O_RDWR, 0o600)
        defer { close(descriptor) }
        var status = stat()
        fstat(descriptor, &status)
        #expect(LogOutput.isJournal(descriptor, "\(status.st_dev):\(status.st_ino)"))
        #expect(!LogOutput.isJournal(descriptor, "\(status.st_dev):\(status.st_ino + 1)"))
        #expect(!LogOutput.isJournal(descriptor, nil) && !LogOutput.isJournal(-1, "0:0"))
    }

    /// What `journalctl -p err` shows of a service that came to its end: why, and what to do, whether it is a record or not.
    @Test func theJournalFilesTheEndOfAServiceAsAnError() async throws {
        let listener = try SilentListener()
        listener.close()
        try await Stage.run { stage in
            // Both of its outputs on one stream, as a service has them.
            let service = [
                "sh", "-c",
                "JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2); export JOURNAL_STREAM; exec \"$@\" >&2", "sh",
            ]
            let worker = try stage.start(
                ["run", "--start-timeout", "1s"],
                ["DATABASE_URL": "host=127.0.0.1 port=\(listener.port) dbname=x user=x"], through: service)
            #expect(try await worker.exitStatus() == 69)
            let lines = worker.errors.split(separator: "\n").map(String.init)
            #expect(lines.contains { $0.hasPrefix("<5>{") && $0.contains(#""event":"worker.start""#) }, "\(lines)")
            #expect(lines.contains { $0.hasPrefix("<3>{") && $0.contains(#""event":"worker.stop""#) }, "\(lines)")
            #expect(lines.contains { $0.hasPrefix("<3>Error: ") } && lines.contains { $0.hasPrefix("<3>Try: ") })
            #expect(lines.allSatisfy { $0.hasPrefix("<") }, "\(lines)")
            // Asked to end, it needs nobody.
            let asked = try stage.start(["run", "--once"], through: service)
            #expect(try await asked.exitStatus() == 0)
            let stop = asked.errors.split(separator: "\n").first { $0.contains(#""event":"worker.stop""#) }
            #expect(stop?.hasPrefix("<5>{") == true, "\(asked.errors)")
            // On a standard error that is not the journal nobody takes the number off.
            let plain = try await stage.command(["run", "--once"], ["DATABASE_URL": nil, "JOURNAL_STREAM": "1:1"])
            #expect(plain.status == 78 && plain.errors.hasPrefix("Error: "), "\(plain.errors)")
        }
    }

    /// The priority stands before the JSON, as the journal wants it.
    @Test func aLineForTheJournalBeginsWithItsPriority() {
        let expected: [LogLevel: Int] = [.debug: 7, .info: 6, .notice: 5, .warning: 4, .error: 3]
        for level in LogLevel.allCases {
            let record = LogRecord(timestamp: 0, level: level, event: .workerStart, message: "starting", fields: [:])
            let line = String(decoding: LogEncoder.journal.encode(record), as: UTF8.self)
            #expect(line.hasPrefix("<\(expected[level]!)>{\"ts\":") && line.hasSuffix("}\n"))
        }
        #expect(LogEncoder.prioritized("Error: x\n  y\nTry:   z\n", .error) == "<3>Error: x\n<3>  y\n<3>Try:   z\n")
        guard case .journal = LogFormat.auto.encoder(isTerminal: false, isJournal: true, style: .plain) else {
            Issue.record("the journal gets priorities")
            return
        }
    }
}
