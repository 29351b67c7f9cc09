import Simulator
import TestKit
import Testing

/// The connection string names a standby first: what writes goes on to the primary, and what only reads does not have to.
@Suite(.serialized) struct StandbyTests {
    @Test(.timeLimit(.minutes(3))) func commandsThatWriteFindThePrimary() async throws {
        let options = ["fsync = off", "wal_level = replica", "max_wal_senders = 4", "hot_standby = on"]
        try await PrivateCluster.run(options: options) { primary in
            try await Standby.run(of: primary) { standby in
                try await Stage.run { stage in
                    let both = ["DATABASE_URL": String?.some(standby.conninfo(before: primary))]
                    let id = stage.world.id(1)
                    for command in [
                        ["migrate"], ["enqueue", id], ["pause", "--by", "jo"], ["resume"], ["scopes", "recheck"],
                        ["dead", "replay", "--all"], ["dead", "discard", "--all"], ["reproject"], ["purge", id],
                    ] {
                        let ended = try await stage.command(command, both)
                        #expect(ended.status == 0, "\(command): \(ended.errors)")
                    }
                    #expect(try await primary.value("SELECT state FROM enrichment_state('\(id)')") != "unknown")
                    let doctor = try await stage.command(["doctor"], both)
                    #expect(!doctor.output.contains("a standby"), "\(doctor.output)")

                    let alone = ["DATABASE_URL": String?.some(standby.conninfo)]
                    for command in [["status"], ["dead", "list"], ["scopes"], ["migrate", "--status"]] {
                        let ended = try await stage.command(command, alone)
                        #expect(ended.status == 0, "\(command): \(ended.errors)")
                    }
                    let told = try await stage.command(["doctor"], alone)
                    #expect(told.status == 1 && told.output.contains("a standby, which takes no writes"))
                    let refused = try await stage.command(["pause", "--start-timeout", "2s"], alone)
                    #expect(refused.status == 69 && refused.errors.contains("\nTry:   "), "\(refused.errors)")
                }
            }
        }
    }
}
