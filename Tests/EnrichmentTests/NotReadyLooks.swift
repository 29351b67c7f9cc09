import Enrichment
import Postgres
import TestKit

/// What tests of looks at unready engagements ask and do.
extension TestDatabase {
    /// The looks that wait for the engagement, each as its number and the time from its making to its turn.
    func looks(_ id: String) async throws -> String? {
        try await value(
            """
            SELECT string_agg(looks || ' ' || (available_at - enqueued_at), ',' ORDER BY looks) FROM enrichment_queue
            WHERE engagement_id = '\(id)' AND reason = 'not_ready' AND leased_by IS NULL
            """)
    }

    func waitForLooks(_ id: String, toBe expected: String?) async throws {
        try await eventually("looks \(expected ?? "none") at \(id)") { try await self.looks(id) == expected }
    }

    /// Lets the waiting looks begin now, as a person may.
    func bringLooksForward() async throws {
        try await run(
            "UPDATE enrichment_queue SET available_at = now() WHERE reason = 'not_ready' AND leased_by IS NULL")
    }

    func gap(_ id: String) async throws -> String? {
        try await value(
            """
            SELECT string_agg(part || ' ' || cause || CASE WHEN next_look_at IS NULL THEN '' ELSE ' waits' END, ',' ORDER BY part)
            FROM engagement_gaps WHERE engagement_id = '\(id)'
            """)
    }

    func state(_ id: String) async throws -> String? {
        try await value("SELECT concat_ws(' ', state, cause, missing_parts) FROM enrichment_state('\(id)')")
    }

    /// Every waiting look's gap tells its time, and no other gap tells one.
    func nextLooksAreRight() async throws -> Bool {
        try await count(
            """
            SELECT count(*) FROM engagement_gaps AS g LEFT JOIN enrichment_queue AS q
                ON q.engagement_id = g.engagement_id AND q.reason = 'not_ready' AND q.leased_by IS NULL
            WHERE g.next_look_at IS DISTINCT FROM CASE WHEN g.cause = 'not_ready' THEN q.due_at END
            """) == 0
    }
}

extension TruthLab {
    /// For `change`: a row whose time was moved is found soon.
    static func quickPolls(_ configuration: inout Worker.Configuration) {
        quickRetries(&configuration)
        configuration.pollInterval = .milliseconds(100)
    }

    /// The schedule while an engagement has not finished.
    static let schedule = ["00:01:00", "00:02:00", "00:05:00", "00:15:00", "01:00:00", "06:00:00", "1 day"]
}

extension TruthDocument {
    /// Not finished, so far without transcript.
    func unfinished(_ status: String = "PROCESSING") -> TruthDocument {
        with(["processing_status": "\"\(status)\"", "transcript": "null"])
    }

    func withoutTranscript(_ type: String = "MEETING", _ status: String = "COMPLETED") -> TruthDocument {
        with(["processing_status": "\"\(status)\"", "transcript": "null", "engagement_type": "\"\(type)\""])
    }
}
