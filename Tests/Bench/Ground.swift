import Foundation
import Glibc
import Postgres
import SQLText
import TestKit

/// The server that all legs write to, and how they find it.
final class Ground {
    static let options = ["shared_buffers = 512MB", "max_wal_size = 8GB"]
    /// Tables of an engagement's own rows, each with its key, in the order in which they may be filled.
    static let tables = [
        ("engagements", "id"), ("engagement_transcripts", "engagement_id"), ("engagement_media", "engagement_id"),
        ("engagement_contacts", "engagement_id"), ("engagement_companies", "engagement_id"),
        ("engagement_tags", "engagement_id"), ("engagement_action_items", "engagement_id"),
        ("engagement_signals", "engagement_id"), ("engagement_gaps", "engagement_id"),
        ("crm_associations", "subject_type = 'engagement' AND subject_id"),
    ]
    /// Entities that engagements share.
    static let shared = ["companies", "contacts", "users", "tags"]

    let cluster: PrivateCluster
    private let server: Int32

    init(_ cluster: PrivateCluster) throws {
        self.cluster = cluster
        let file = try String(contentsOfFile: cluster.folder + "/data/postmaster.pid", encoding: .utf8)
        server = Int32(file.prefix { $0 != "\n" }) ?? 0
    }

    var cpu: Double { ProcessTimes.cpu(ofTree: server) }

    /// Empty tables.
    func clear() async throws {
        let all = (Self.tables.map(\.0) + Self.shared + ["enrichment_queue", "dead_letters", "last_writes"]).joined(
            separator: ", ")
        try await cluster.run("TRUNCATE \(all) CASCADE")
    }

    /// Tables that hold some engagements already, with statistics, and nothing left to flush.
    func prepare(_ seeds: ArraySlice<Documents.One>) async throws {
        try await clear()
        if !seeds.isEmpty {
            let writing = Writing(self, connections: 2, batch: 100)
            _ = try await writing.run(seeds)
        }
        try await settle()
    }

    func settle() async throws {
        try await cluster.run("VACUUM ANALYZE")
        try await cluster.run("CHECKPOINT")
    }

    func enqueue(_ ids: [String]) async throws {
        let list = ids.map { "('\($0)')" }.joined(separator: ",")
        try await cluster.run("INSERT INTO enrichment_queue (engagement_id) VALUES \(list)")
    }

    /// Jobs of engagements that nobody knows.
    func enqueue(_ count: Int) async throws {
        try await cluster.run(
            "INSERT INTO enrichment_queue (engagement_id) SELECT 'ngmt_' || n FROM generate_series(1, \(count)) AS n")
    }

    /// Stores every engagement that many times, with all its rows, under ids of its own; the copies' transcripts are short.
    func multiply(by times: Int) async throws {
        for (table, key) in Self.tables {
            let column = key.split(separator: " ").last!
            let rows = try await cluster.run(
                """
                SELECT string_agg(quote_ident(attname), ', ') AS names,
                       string_agg(CASE attname WHEN '\(column)' THEN '\(column) || ''x'' || n'
                                  WHEN 'transcript' THEN 'left(transcript, 200)' ELSE quote_ident(attname) END, ', ') AS copies
                FROM pg_attribute
                WHERE attrelid = '\(table)'::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = '' AND attgenerated = ''
                """)
            let (names, copies) = (try rows[0].text("names"), try rows[0].text("copies"))
            try await cluster.run(
                """
                SET session_replication_role = replica;
                INSERT INTO \(table) (\(names)) SELECT \(copies) FROM \(table), generate_series(2, \(times)) AS n
                WHERE \(key) IS NOT NULL;
                RESET session_replication_role
                """)
        }
    }

    func connect(synchronousCommit: Bool = true) async throws -> Connection {
        var configuration = ConnectionConfiguration(
            conninfo: cluster.conninfo, applicationName: "bench", schema: "askelephant")
        configuration.statementTimeout = .seconds(60)
        configuration.synchronousCommit = synchronousCommit
        return try await Connection.open(configuration)
    }
}
