/// The migrations of `sql/migrations` in order. Forward only: a released file never changes, its checksum is recorded.
package struct Migration: Sendable {
    package let version: Int
    package let name: String
    private let bytes: @Sendable () -> [UInt8]

    package static let all: [Migration] = [
        Migration(1, "queue", PackageResources.m0001_queue_sql),
        Migration(2, "engagements", PackageResources.m0002_engagements_sql),
        Migration(3, "json", PackageResources.m0003_json_sql),
        Migration(4, "project", PackageResources.m0004_project_sql),
        Migration(5, "children", PackageResources.m0005_children_sql),
        Migration(6, "ingest", PackageResources.m0006_ingest_sql),
        Migration(7, "jobs", PackageResources.m0007_jobs_sql),
        Migration(8, "views", PackageResources.m0008_views_sql),
        Migration(9, "scopes", PackageResources.m0009_scopes_sql),
        Migration(10, "rate", PackageResources.m0010_rate_sql),
        Migration(11, "losses", PackageResources.m0011_losses_sql),
        Migration(12, "writes", PackageResources.m0012_writes_sql),
        Migration(13, "lists", PackageResources.m0013_lists_sql),
        Migration(14, "poolers", PackageResources.m0014_poolers_sql),
        Migration(15, "corrections", PackageResources.m0015_corrections_sql),
        Migration(16, "writing", PackageResources.m0016_writing_sql),
        Migration(17, "times", PackageResources.m0017_times_sql),
        Migration(18, "events", PackageResources.m0018_events_sql),
        Migration(19, "walks", PackageResources.m0019_walks_sql),
        Migration(20, "purge", PackageResources.m0020_purge_sql),
        Migration(21, "retention", PackageResources.m0021_retention_sql),
        Migration(22, "operating", PackageResources.m0022_operating_sql),
        Migration(23, "reproject", PackageResources.m0023_reproject_sql),
        Migration(24, "comments", PackageResources.m0024_comments_sql),
        Migration(25, "rehearsal", PackageResources.m0025_rehearsal_sql),
        Migration(26, "guess", PackageResources.m0026_guess_sql),
        Migration(27, "commands", PackageResources.m0027_commands_sql),
        Migration(28, "probe", PackageResources.m0028_probe_sql),
        Migration(29, "older", PackageResources.m0029_older_sql),
    ]

    /// What `migrate --with-outbox` adds; may be run again.
    package static var outbox: String { String(decoding: PackageResources.outbox_sql, as: UTF8.self) }

    /// Our tables, as the function `own_tables` has them too.
    package static let tables = [
        "activity_minutes", "companies", "contacts", "control", "credentials", "crm_associations", "dead_letters",
        "engagement_action_items", "engagement_companies", "engagement_contacts", "engagement_gaps", "engagement_media",
        "engagement_signals", "engagement_tags", "engagement_transcripts", "engagements", "enrichment_queue",
        "entity_changes",
        "last_writes", "list_walks", "outbox", "purge_needles", "queue_minutes", "schema_migrations", "schema_objects",
        "scope_denials", "scope_grants", "suppressions", "tags", "upkeep", "users", "webhook_events", "workers",
    ]

    /// The schema version that this binary is written for.
    package static let latest = all.count

    /// Read when it is needed: a worker asks for their number only.
    package var text: String {
        guard let text = String(validating: bytes(), as: UTF8.self) else {
            preconditionFailure("migration \(name) is not UTF-8")
        }
        return text
    }

    private init(_ version: Int, _ name: String, _ bytes: @autoclosure @escaping @Sendable () -> [UInt8]) {
        self.version = version
        self.name = name
        self.bytes = bytes
    }
}
