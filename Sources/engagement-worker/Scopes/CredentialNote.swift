import Postgres
import SQLText

/// What is known of a credential, and what to do about it.
struct CredentialNote: Equatable, Sendable {
    var name: String
    /// `unknown`, `ok`, `refused` or `forbidden`.
    var state: String
    /// Nil while no worker has used it.
    var lastSeenAt: String?
    /// When a refused one is tried again.
    var nextProbeAt: String?
    /// Workers that were seen in the last 2 minutes.
    var workers: Int64 = 0

    static func read(_ name: String, _ session: Session) async throws -> CredentialNote {
        guard let row = try await session.query(Statements.credentialShow, [.text(name)]).first else {
            throw PostgresError.unexpectedResult(column: "state")
        }
        return CredentialNote(
            name: name, state: try row.text("state"), lastSeenAt: try row.textIfPresent("last_seen_at"),
            nextProbeAt: try row.textIfPresent("next_probe_at"), workers: try row.integer("workers"))
    }

    var isRefused: Bool { state == "refused" || state == "forbidden" }

    var text: String {
        guard let lastSeenAt else { return "credential \(name): no worker has used it yet" }
        let next = nextProbeAt.map { " Tried again at \($0)." } ?? ""
        return "credential \(name): \(state), last seen \(lastSeenAt)" + (advice.map { "\n\($0)\(next)" } ?? "")
    }

    var advice: String? {
        switch state {
        case "refused":
            "The API refuses it (401). Put a valid token into ASKELEPHANT_TOKEN_FILE: a running worker reads it within a second."
        case "forbidden": "It lacks engagements:read, without which nothing can be read. Grant it to the credential."
        case "unknown" where lastSeenAt != nil: "It is not noted yet whether the API takes it."
        default: nil
        }
    }

    var json: JSONText {
        .object([
            .init(name: "name", value: .string(name)), .init(name: "state", value: .string(state)),
            .init(name: "last_seen_at", value: JSONText(lastSeenAt)),
            .init(name: "next_probe_at", value: JSONText(nextProbeAt)), .init(name: "advice", value: JSONText(advice)),
            .init(name: "workers", value: JSONText(workers)),
        ])
    }
}
