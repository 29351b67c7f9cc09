import Simulator

/// A column of a table, as SQL reads it and as the simulator's truth has it.
struct TruthColumn<Subject: Sendable>: Sendable {
    let name: String
    let sql: String
    let value: @Sendable (Subject) -> String?

    init(_ name: String, sql: String? = nil, _ value: @escaping @Sendable (Subject) -> String?) {
        self.name = name
        self.sql = sql ?? name
        self.value = value
    }

    static func time(_ name: String, _ value: @escaping @Sendable (Subject) -> SimTime?) -> TruthColumn {
        TruthColumn(name, sql: #"to_char(\#(name) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"#) {
            value($0)?.text(withMilliseconds: true)
        }
    }

    /// A list of addresses, each with its mark; none and an empty list look alike, since an answer may have either.
    static func emails(_ value: @escaping @Sendable (Subject) -> [SimEmail]) -> TruthColumn {
        let sql = """
            (SELECT string_agg(concat(e ->> 'email', ' ', e ->> 'is_primary'), ',' ORDER BY n)
             FROM jsonb_array_elements(emails) WITH ORDINALITY AS t(e, n))
            """
        return TruthColumn("emails", sql: sql) { subject in
            joined(value(subject).map { "\($0.email) \($0.isPrimary)" })
        }
    }

    static func joined(_ texts: [String]) -> String? { texts.isEmpty ? nil : texts.joined(separator: ",") }
}

private func flag(_ value: Bool?) -> String? { value.map { $0 ? "true" : "false" } }

enum TruthColumns {
    static let engagement: [TruthColumn<SimEngagement>] = [
        .init("object") { _ in "engagement" }, .init("title", \.title), .init("engagement_type", \.engagementType),
        .init("processing_status", \.processingStatus), .init("is_private") { flag($0.isPrivate) },
        .time("created_at", \.createdAt), .time("updated_at", \.updatedAt), .init("description", \.description),
        .init("data_source", \.dataSource), .init("is_internal") { flag($0.isInternal) },
        .time("engagement_at", \.engagementAt), .time("start_at", \.startAt), .time("end_at", \.endAt),
        .init("duration_seconds") { $0.durationSeconds.map(String.init) }, .init("meeting_url", \.meetingURL),
        .init("external_url", \.externalURL), .init("owner_user_id", \.ownerUserID),
        .init("host_user_id", \.hostUserID),
        .init("crm_association", sql: "crm_association ->> 'crm_object_id'") { $0.crmAssociation?.objectID },
        .init("_raw id", sql: "_raw ->> 'id'", \.id), .init("_api_version") { _ in "v2" },
        .init("_deleted_at") { _ in nil }, .init("_unreadable_since") { _ in nil }, .init("_issues") { _ in nil },
        .init("_parts", sql: "(SELECT count(*) FROM jsonb_object_keys(_parts))") {
            $0.mayGetTranscript ? "7" : "8"
        },
        .init("expands in _raw", sql: "_raw ?| ARRAY['\(TruthDocument.parts.joined(separator: "','"))']") { _ in "false"
        },
    ]

    static let contact: [TruthColumn<SimContact>] = [
        .init("first_name", \.firstName), .init("last_name", \.lastName), .init("company_id", \.companyID),
        .init("primary_email") { ($0.emails.first(where: \.isPrimary) ?? $0.emails.first)?.email }, .emails(\.emails),
        .init("_raw time_zone", sql: "_raw ->> 'time_zone'", \.timeZone),
    ]

    static let company: [TruthColumn<SimCompany>] = [
        .init("name", \.name),
        .init(
            "domains",
            sql: """
                (SELECT string_agg(d ->> 'domain', ',' ORDER BY n)
                 FROM jsonb_array_elements(domains) WITH ORDINALITY AS t(d, n))
                """
        ) { TruthColumn<SimCompany>.joined($0.domains) },
    ]

    static let user: [TruthColumn<SimUser>] = [
        .init("role", \.role), .init("first_name", \.firstName), .init("last_name", \.lastName),
        .init("job_title", \.jobTitle), .init("time_zone", \.timeZone), .emails(\.emails),
        .init("primary_email") { ($0.emails.first(where: \.isPrimary) ?? $0.emails.first)?.email },
    ]

    static let tag: [TruthColumn<SimTag>] = [
        .init("name", \.name), .init("hex_color", \.hexColor), .init("description", \.description),
        // The truth has no such field, some documents do.
        .init(
            "auto_tagging_enabled",
            sql: "auto_tagging_enabled IS DISTINCT FROM (_raw ->> 'auto_tagging_enabled')::boolean"
        ) {
            _ in "false"
        },
    ]

    static let actionItem: [TruthColumn<SimActionItem>] = [
        keyColumn(\.id), .init("text", \.text), .init("status", \.status), .init("assignee_user_id", \.assigneeUserID),
        .time("due_at", \.dueAt), .init("title") { _ in nil },
    ]

    static let signal: [TruthColumn<SimSignal>] = [
        keyColumn(\.id), .init("type", \.type), .init("name", \.name), .init("value", \.value),
        .init("_raw score", sql: "_raw ->> 'score'") { $0.score.map(String.init) },
    ]

    /// The item's own id, or `digest` where the key is the right digest with a number.
    private static func keyColumn<Item: Sendable>(
        _ id: @escaping @Sendable (Item) -> String?
    ) -> TruthColumn<Item> {
        let digest = "'digest_' || left(encode(sha256(convert_to(_raw::text, 'UTF8')), 'hex'), 32)"
        let sql = "CASE WHEN id ~ '_[1-9]$' AND left(id, -2) = \(digest) THEN 'digest' ELSE id END"
        return TruthColumn("id", sql: sql) { id($0) ?? "digest" }
    }
}
