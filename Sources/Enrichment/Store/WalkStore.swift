package import AskElephant
import Postgres
import SQLText

/// How far walks through the list have come.
struct WalkStore: Sendable {
    /// A process that says nothing for so long is not on its walk any more, in seconds.
    private static let hold = 120.0

    let bootID: Int64
    let name: String
    let session: Session

    /// What is known of the walk so far; nil while another process is on it.
    func take(since: UpdateTime?, until: UpdateTime?) async throws(PostgresError) -> WalkProgress? {
        let rows = try await session.query(
            Statements.walkTake,
            [.text(name), .bigint(bootID), .textOrNull(since?.text), .textOrNull(until?.text), .double(Self.hold)])
        guard let row = rows.first else { return nil }
        return WalkProgress(
            checkpoint: try row.textIfPresent("checkpoint").flatMap(UpdateTime.init),
            pages: Int(try row.integer("pages")),
            listed: Int(try row.integer("listed")), queued: Int(try row.integer("queued")))
    }

    /// Takes a page; how many of it were queued, nil if another process is on the walk by now.
    func note(
        _ page: EngagementPage, checkpoint: UpdateTime?, isLast: Bool
    ) async throws(PostgresError) -> Int? {
        let rows = try await session.query(
            Statements.walkPage,
            [
                .text(name), .bigint(bootID), .texts(page.entries.map(\.id.rawValue)),
                .texts(page.entries.map { $0.updatedAt?.text }), .textOrNull(checkpoint?.text), .boolean(isLast),
                .double(Self.hold),
            ])
        return try rows.first?.integerIfPresent("queued").map { Int($0) }
    }

    func leave() async {
        _ = try? await session.query(Statements.walkLeave, [.text(name), .bigint(bootID)])
    }
}

/// How far a walk has come, over all of its processes.
package struct WalkProgress: Sendable, Equatable {
    /// Everything that changed before was seen.
    package var checkpoint: UpdateTime?
    package var pages: Int
    /// Engagements that were seen.
    package var listed: Int
    /// Those of them that were queued.
    package var queued: Int

    package static let none = WalkProgress(checkpoint: nil, pages: 0, listed: 0, queued: 0)

    mutating func add(_ page: EngagementPage, queued: Int, checkpoint: UpdateTime?) {
        self.checkpoint = checkpoint
        pages += 1
        listed += page.entries.count
        self.queued += queued
    }
}
