import AskElephant
import Synchronization
import TestKit
import Testing

@testable import Enrichment

/// Who of several waiting writers is woken for what.
struct BoardWriterTests {
    private final class Written: Sendable {
        let byWriter = Mutex<[Int: [Int]]>([:])
    }

    /// The first writer alone takes large documents: it hears of one whatever else is there for the others.
    @Test(arguments: [1, 2, 3, 4]) func aLargeDocumentFindsTheWriterThatTakesIt(_ writers: Int) async throws {
        for _ in 0..<50 {
            let (board, written) = (JobBoard(concurrency: 8), Written())
            let ids = try ["ngmt_A", "ngmt_B"].map { try #require(EngagementID($0)) }
            for (number, id) in ids.enumerated() {
                _ = await board.admit([Job(id: Int64(number), claims: 1, engagementID: id.rawValue)])
            }
            let fetches = [await board.takeNext(), await board.takeNext()].compactMap(\.self)
            let tasks = (1...writers).map { number in
                Task {
                    while let batch = await board.takeBatch(by: number) {
                        written.byWriter.withLock { $0[number, default: []] += batch.documents.map(\.byteCount) }
                        await board.finish(batch.documents.count, of: batch.documents.map(\.fetch.engagementID))
                    }
                }
            }
            for number in 1...writers {
                try await eventually("writer \(number) waits") { await board.writers[number] != nil }
            }
            let large = Outbox.maxBytes + 1
            await board.deliver(zip(fetches, [10, large]).map { Self.document($0, bytes: $1) })
            try await eventually(within: .seconds(5), "both are written") { await board.isEmpty }
            #expect(written.byWriter.withLock { $0[1]?.contains(large) } == true)
            await board.stop()
            await board.closeIntake()
            for task in tasks { await task.value }
        }
    }

    private static func document(_ fetch: Fetch, bytes: Int) -> ReadyDocument {
        ReadyDocument(
            fetch: fetch, document: Document(json: Array(repeating: 0x20, count: bytes)), observedAt: "", asked: [],
            record: FetchRecord(), repairs: [])
    }
}

extension JobBoard {
    /// All of them before any writer has run.
    fileprivate func deliver(_ documents: [ReadyDocument]) { for document in documents { deliver(document) } }
}
