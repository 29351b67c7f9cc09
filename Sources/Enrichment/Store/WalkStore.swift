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
        _ entries: [EngagementPage.Entry], checkpoint: UpdateTime?, isLast: Bool
    ) async throws(PostgresError) -> Int? {
        let rows = try await session.query(
            Statements.walkPage,
            [
                .text(name), .bigint(bootID), .texts(entries.map(\.id.rawValue)),
                .texts(entries.map { $0.updatedAt?.text }), .textOrNull(checkpoint?.text), .boolean(isLast),
                .double(Self.hold),
            ])
        return try rows.first?.integerIfPresent("queued").map { Int($0) }
    }

    /// How long until the next sweep, not more than nothing when it is due or under way.
    func dueIn(_ interval: Duration) async throws(PostgresError) -> Duration {
        let row = try await session.query(Statements.walkDue, [.double(interval / .seconds(1))]).first
        return .seconds(try row?.doubleIfPresent("seconds") ?? 0)
    }

    /// Queues what changed within the last days and was not looked at for most of a day; how many.
    func queueRecent(days: Double, most: Int64) async throws(PostgresError) -> Int {
        let rows = try await session.query(Statements.walkRecent, [.double(days), .bigint(most)])
        return Int(try rows.first?.integer("queued") ?? 0)
    }

    /// Keeps the walk ours while the work is done, however long it waits; then leaves it to whoever goes on.
    func holding(_ work: () async throws -> Void) async throws {
        let renewal = Task {
            while (try? await Task.sleep(for: .seconds(Self.hold / 4))) != nil {
                _ = try? await session.query(Statements.walkHold, [.text(name), .bigint(bootID), .double(Self.hold)])
            }
        }
        let result: Result<Void, any Error>
        do { result = .success(try await work()) } catch { result = .failure(error) }
        renewal.cancel()
        await renewal.value
        _ = try? await session.query(Statements.walkHold, [.text(name), .bigint(bootID), .double(0)])
        try result.get()
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

    mutating func add(_ entries: [EngagementPage.Entry], queued: Int, checkpoint: UpdateTime?) {
        self.checkpoint = checkpoint
        pages += 1
        listed += entries.count
        self.queued += queued
    }
}
