import Postgres
import TestKit
import Testing

@testable import Enrichment

struct DatabaseHealthTests {
    /// The listener's role is refused once, as while its password is changed. It polls, which is no outage.
    @Test func aListenerThatIsRefusedIsNoOutage() {
        let log = RecordedLog()
        let health = DatabaseHealth(log: log.log)
        let refused = PostgresError.connect(sqlState: SQLState("28P01"))
        health.restored(role: DatabaseHealth.listenRole)
        health.lost(refused, role: DatabaseHealth.listenRole)
        #expect(!health.isLost && health.listen == .lost)
        health.restored(role: DatabaseHealth.listenRole)
        #expect(health.listen == .ok)
        #expect(log.records(of: .dbLost).isEmpty)
        #expect(log.records(of: .listenLost).count == 1 && log.records(of: .listenRestored).count == 1)
    }
}
