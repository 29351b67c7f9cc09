import ArgumentParser
import AskElephant
import Enrichment
import Postgres

struct Purge: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Delete engagements or a person for good; a keyed hash keeps them from coming back.",
        discussion: """
            Contacts and companies that no other engagement shows go with an engagement. With a person go the contacts, and \
            addresses of theirs that nobody else has; where ids or addresses stand in other rows they become [purged]. All \
            tables are read once for that. Names in free text are not found. On a terminal it asks first.
            """
    )

    @Argument(help: "Engagement ids.") var ids: [String] = []
    @Option(help: "A contact's id, cnt_…; may be repeated.") var contact: [String] = []
    @Option(help: "A person's e-mail address; may be repeated.") var email: [String] = []
    @Flag(help: "Keep no hash either: the next sweep or webhook may bring it back.") var forget = false
    @Flag(help: "Say what would be deleted, and delete nothing.") var dryRun = false
    @Flag(help: "Do not ask, on a terminal.") var yes = false
    @OptionGroup(title: "Settings") var options: SettingsOptions

    func validate() throws {
        guard !ids.isEmpty || !contact.isEmpty || !email.isEmpty else {
            throw ValidationError("Name engagement ids, or --contact, or --email.")
        }
        if let address = email.first(where: { !Self.isAddress($0.trimmed) }) {
            throw ValidationError("No e-mail address: \(TextEscaper.visible(String(address.prefix(80))))")
        }
        if let id = contact.first(where: { !$0.hasPrefix("cnt_") }) {
            throw ValidationError("No contact's id (cnt_…): \(TextEscaper.visible(String(id.prefix(80))))")
        }
    }

    /// Bare, as `ann@customer.example`: nothing that a text could have in many places.
    private static func isAddress(_ text: String) -> Bool {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        return parts.count == 2 && parts.allSatisfy { !$0.isEmpty }
            && !text.contains { $0.isWhitespace || "<>()[]{},;:\"\\".contains($0) }
    }

    func run() async throws {
        let engagements = try EngagementID.all(ids)
        let targets =
            engagements.map(PurgeTarget.engagement) + contact.map(PurgeTarget.contact)
            + email.map { .email($0.trimmed) }
        let settings = try Setup.settings(options)
        if !dryRun, !yes {
            let names = ids + contact + email
            let more = names.count > 3 ? " and \(names.count - 3) more" : ""
            try Confirmation.ask(
                "delete \(names.prefix(3).joined(separator: ", "))\(more) for good", or: "nothing was purged")
        }
        let session = try await Setup.connect(settings, statementTimeout: .seconds(60), writes: true)
        let store = PurgeStore(session: session)
        if dryRun {
            writeOutput("would be purged: \(Self.text(try await store.rehearse(targets)))\n")
            return await session.close()
        }
        do { try await purge(targets, store) } catch {
            let failure = Failure(error)
            throw Failure(
                failure.code, "the purge was broken off: \(failure.message)",
                hint: "run it again; it goes on where it was\(failure.hint.map { ". Before that: \($0)" } ?? "")")
        }
        await session.close()
        say("backups, copies and Postgres's files until VACUUM still hold it: README, \"Purging\"\n")
    }

    private static func text(_ counts: [String: Int]) -> String {
        let found = counts.filter { $0.value > 0 }.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        return found.isEmpty ? "nothing was stored" : found.joined(separator: ", ")
    }

    /// A purge is ended whether or not anybody reads of it.
    private func say(_ text: String) { writeOutput(text, endsWithoutReader: false) }

    private func purge(_ targets: [PurgeTarget], _ store: PurgeStore) async throws {
        for target in targets { try await store.suppress(target) }
        say("purged: \(Self.text(try await store.deleteRows()))\n")
        let redacted = try await store.redact { table, isOurs in
            writeError(
                isOurs ? "looking through \(table)\n" : "NOT looked through: \(table), which is no table of ours\n")
        }
        say("other rows that named it, now without: \(redacted)\n")
        if forget {
            try await store.forget(targets)
            say("forgotten: it may be stored again\n")
        } else {
            for case .engagement(let id) in targets {
                say("gone in engagement_changes, _key \(try await store.key(id))\n")
            }
        }
    }
}
