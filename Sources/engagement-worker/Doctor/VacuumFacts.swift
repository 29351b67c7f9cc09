import Enrichment
import Postgres

/// What keeps finished rows of the queue from being removed, or may.
struct VacuumFacts: Equatable, Sendable {
    var dead: Int64 = 0
    /// The session with the oldest snapshot among those that the role sees, and for how many seconds it has a transaction open.
    var pid: Int64?
    var age: Double?
    /// False: the transactions of other roles stay hidden.
    var seesAll = true
    /// A replication slot that holds rows back, and that nobody reads.
    var slot: String?
    /// The oldest prepared transaction of the database, and its age in seconds.
    var prepared: String?
    var preparedAge: Double?

    func finding(schema: String, role: String) -> Finding {
        let limits = WatchLimits()
        let longest = limits.snapshotAge / .seconds(1)
        let keeps = "keeps finished rows from being removed"
        if let pid, let age, age > longest {
            return .warning(
                "vacuum", "a transaction of process \(pid) is open for \(Wording.seconds(age)), and \(keeps)",
                next: "end it: SELECT pg_terminate_backend(\(pid));")
        }
        if let prepared, let preparedAge, preparedAge > longest {
            return .warning(
                "vacuum", "the prepared transaction \(prepared) is \(Wording.seconds(preparedAge)) old, and \(keeps)",
                next: "end it: ROLLBACK PREPARED \(literal(prepared)); or COMMIT PREPARED")
        }
        if let slot {
            return .warning(
                "vacuum", "nobody reads the replication slot \(slot), which \(keeps)",
                next: "start its standby, or: SELECT pg_drop_replication_slot(\(literal(slot)));")
        }
        if dead > Int64(limits.deadRows) {
            return .warning(
                "vacuum", "the queue has \(Wording.count(Int(dead))) dead rows",
                next: "VACUUM \(quoteIdentifier(schema)).enrichment_queue; and see that autovacuum runs")
        }
        let rows = "the queue has \(Wording.count(Int(dead))) dead rows"
        guard seesAll else {
            return .warning(
                "vacuum", "\(rows); whether an old transaction of another role is open is not known",
                next: "to know it: GRANT pg_read_all_stats TO \(quoteIdentifier(role));")
        }
        return .ok("vacuum", "\(rows), and no old transaction is open")
    }

    private func literal(_ text: String) -> String { "'" + text.replacing("'", with: "''") + "'" }
}

extension VacuumFacts {
    /// - Parameters:
    ///   - bloat: of `queue_bloat`.
    ///   - more: of `doctor_vacuum`.
    init(_ bloat: Row, _ more: Row) throws {
        dead = try bloat.integer("dead")
        pid = try bloat.integerIfPresent("pid")
        age = try bloat.doubleIfPresent("age_s")
        seesAll = try more.boolean("sees_all")
        slot = try more.textIfPresent("slot")
        prepared = try more.textIfPresent("prepared")
        preparedAge = try more.doubleIfPresent("prepared_s")
    }
}
