/// A permission of an AskElephant credential (contract section 3). Words that are not in this list are no scopes,
/// so a refusal that mentions something else is never taken for a hint.
package enum Scope: String, CaseIterable, Sendable, Hashable {
    case engagementsRead = "engagements:read"
    case engagementsPrivateRead = "engagements:private:read"
    case engagementsWrite = "engagements:write"
    case engagementsPrivateWrite = "engagements:private:write"
    case companiesRead = "companies:read"
    case companiesWrite = "companies:write"
    case contactsRead = "contacts:read"
    case contactsWrite = "contacts:write"
    case usersRead = "users:read"
    case tagsRead = "tags:read"
    case tagsWrite = "tags:write"
    case transcriptTimelinesRead = "transcript_timelines:read"
    case transcriptCommentsRead = "transcript_comments:read"
    case transcriptCommentsWrite = "transcript_comments:write"
    case workspaceAdmin = "workspace:admin"
}
