import Foundation
import TestKit
import Testing

/// deploy/systemd/engagement-worker.service, as far as that can be shown where systemd does not run.
@Suite(.serialized) struct ServiceUnitTests {
    private static let unit = Manual.file("deploy/systemd/engagement-worker.service").path

    @Test func itIsShutAsTightAsItShouldBe() async throws {
        // 1.5, in tenths.
        let judged = try await Program.run(
            "systemd-analyze", ["security", "--offline=yes", "--threshold=15", Self.unit])
        #expect(judged.status == 0, "\(judged.output.split(separator: "\n").last ?? "")")
        let verified = try await Program.run("systemd-analyze", ["verify", Self.unit])
        // Only what is not installed here.
        let complaints = verified.errors.split(separator: "\n").filter {
            !$0.contains("is not executable: No such file")
        }
        #expect(complaints.isEmpty, "\(complaints)")
    }

    /// It starts, as long as a migration takes, waits longer than the drain timeout, and does not start anew what cannot heal.
    @Test func itFitsTheBinary() throws {
        let text = try String(contentsOfFile: Self.unit, encoding: .utf8)
        for line in [
            "Type=notify", "ExecStart=/usr/bin/engagement-worker run", "RestartPreventExitStatus=64 78",
            "WatchdogSec=60",
            "LoadCredential=askelephant-token:/etc/engagement-worker/askelephant-token", "TimeoutStartSec=infinity",
            "TimeoutStopSec=35",
        ] {
            #expect(text.contains("\n\(line)\n"), "\(line)")
        }
    }

    /// The real binary does its work under the unit's own restrictions: system calls, addresses, memory, mounts, rights, user.
    @Test(.enabled(if: getuid() == 0)) func theBinaryWorksUnderItsRestrictions() async throws {
        try await Stage.run { stage in
            let sandbox = [Manual.file("Tests/sandbox").path, Self.unit]
            // Loopback, since the socket's folder is elsewhere.
            let local = ["DATABASE_URL": String?.some(stage.database.conninfo + " host=127.0.0.1")]
            let worker = try stage.start(["run", "--http-address", "127.0.0.1:0"], local, through: sandbox)
            try await worker.waitFor("worker.ready")
            try await stage.insert(stage.ids(0..<200))
            try await stage.drained()
            #expect(try await stage.database.count("SELECT count(*) FROM engagements") == 200)
            let status = try String(contentsOfFile: "/proc/\(worker.processID)/status", encoding: .utf8)
            #expect(
                status.contains("Seccomp:\t2\n") && status.contains("NoNewPrivs:\t1\n")
                    && status.contains("Uid:\t65534"))
            #expect(status.contains("CapEff:\t0000000000000000\n"))
            worker.signal(SIGHUP)
            worker.signal(SIGTERM)
            #expect(try await worker.exitStatus() == 0)
            #expect(!worker.errors.contains("is not known to Tests/sandbox"), "\(worker.errors)")
        }
    }
}
