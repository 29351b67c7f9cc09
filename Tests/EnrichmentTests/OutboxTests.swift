import AskElephant
import Testing

@testable import Enrichment

struct OutboxTests {
    private func end(_ id: Int64, claims: Int64) -> Settlement {
        let job = Job(id: id, claims: claims, engagementID: "no id")
        return Settlement(ends: [JobEnd(job, .dead, cause: .invalidID)])
    }

    /// The first claim's lease ran out while the database was away, and the same worker claimed the row again: were both ends
    /// in one statement, the first would pass for the second.
    @Test func twoClaimsOfOneRowAreSettledApart() {
        var outbox = Outbox()
        for settlement in [end(1, claims: 1), end(2, claims: 1), end(1, claims: 2), end(3, claims: 1)] {
            outbox.append(settlement)
        }
        let first = outbox.takeBatch(orLarge: true)?.settlements.flatMap(\.ends).map { [$0.job.id, $0.job.claims] }
        let second = outbox.takeBatch(orLarge: true)?.settlements.flatMap(\.ends).map { [$0.job.id, $0.job.claims] }
        #expect(first == [[1, 1], [2, 1]])
        #expect(second == [[1, 2], [3, 1]])
        #expect(outbox.isEmpty)
    }

    /// Nothing waits for ever behind an end that cannot be parted.
    @Test func oneRowTwiceInOneEndIsTakenAllTheSame() {
        var outbox = Outbox()
        let job = Job(id: 1, claims: 1, engagementID: "ngmt_A")
        let ends = [JobEnd(job, .release, cause: .database), JobEnd(job, .release, cause: .database)]
        outbox.append(Settlement(ends: ends))
        outbox.append(end(2, claims: 1))
        let (first, second) = (outbox.takeBatch(orLarge: true), outbox.takeBatch(orLarge: true))
        #expect([first?.settlements.count, second?.settlements.count] == [1, 1])
        #expect(outbox.isEmpty)
    }

    /// A connection that wrote a large document keeps a buffer of its size, so only one of them does; and neither kind waits
    /// for ever behind the other.
    @Test func largeDocumentsGoAloneAndByOneWriter() throws {
        var outbox = Outbox()
        let id = try #require(EngagementID("ngmt_A"))
        func document(_ bytes: Int) -> ReadyDocument {
            let fetch = Fetch(engagementID: id, jobs: [])
            return ReadyDocument(
                fetch: fetch, document: Document(json: Array(repeating: 0x20, count: bytes)), observedAt: "", asked: [],
                record: FetchRecord(), repairs: [])
        }
        let large = Outbox.maxBytes + 1
        for bytes in [large, large, 3, Outbox.maxBytes - 2, 5] { outbox.append(document(bytes)) }
        func take(orLarge takesLarge: Bool) -> [Int]? {
            outbox.takeBatch(orLarge: takesLarge)?.documents.map(\.byteCount)
        }
        #expect(take(orLarge: true) == [large])
        #expect(take(orLarge: true) == [3], "the others have their turn")
        #expect(take(orLarge: false) == [Outbox.maxBytes - 2])
        #expect(take(orLarge: false) == [5])
        #expect(take(orLarge: false) == nil && !outbox.hasOrdinary)
        #expect(!outbox.isEmpty && outbox.hasLarge)
        #expect(take(orLarge: true) == [large])
        #expect(outbox.isEmpty)
    }
}
