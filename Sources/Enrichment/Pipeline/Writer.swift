import AskElephant
import Postgres
import SQLText

/// Takes whatever is ready and writes it in one statement: the documents with the completion of their jobs, and the ends
/// of jobs that brought none.
///
/// An error is somebody's: the connection's or the server's (wait, all again, nobody charged), or one document's (found
/// by splitting the batch).
struct Writer: Sendable {
    /// Of the connection, from 1.
    let number: Int
    let numbers: WriteNumbers
    let session: Session
    let board: JobBoard
    let queue: JobQueue
    let store: EngagementStore
    let judge: Judge
    let scopes: ScopeBook
    let database: Database
    let report: Reporter

    /// Runs until the board has stopped and is empty, or the task is cancelled.
    func run() async {
        while let batch = await board.takeBatch(by: number) {
            if !batch.documents.isEmpty { await write(batch.documents, since: .now) }
            if !batch.settlements.isEmpty { await settle(batch.settlements) }
            if Task.isCancelled { return }
        }
    }

    // MARK: Documents

    /// - Parameter begin: when the batch was first tried that these are the whole or a part of.
    private func write(_ ready: [ReadyDocument], since begin: ContinuousClock.Instant) async {
        let start = ContinuousClock.now
        do throws(Failure) {
            let written = try await persist { write throws(PostgresError) in
                try await store.ingest(ready, as: write, on: session)
            } orFind: { write throws(PostgresError) in
                try await store.find(write, of: ready, on: session)
            }
            let milliseconds = Int64((ContinuousClock.now - start) / .milliseconds(1))
            await conclude(Array(zip(ready, written)), milliseconds)
            let stored = zip(ready, written).filter { ready, written in
                ![.refused, .leaseLost, .suppressed].contains(written.outcome) && !ready.isNotModified
            }
            await scopes.wrote(
                arrived: Set(
                    stored.flatMap { ready, written in ready.asked.filter { !written.missing.contains($0.rawValue) } }),
                withheld: Set(stored.flatMap { $1.withheld }))
        } catch {
            guard case .refused(let refusal) = error else { return }
            guard ready.count > 1 else { return await refused(ready[0], refusal, since: begin) }
            await write(Array(ready[..<(ready.count / 2)]), since: begin)
            await write(Array(ready[(ready.count / 2)...]), since: begin)
        }
    }

    private func conclude(_ batch: [(ReadyDocument, EngagementStore.Written)], _ milliseconds: Int64) async {
        var ended: [EngagementID] = []
        for (ready, written) in batch {
            if written.outcome == .refused {
                await mend(ready, written.refusal ?? "")
                continue
            }
            report.done(ready, written, writeMilliseconds: milliseconds)
            ready.document.reservation?.release()
            ended.append(ready.fetch.engagementID)
        }
        await board.finish(ended.count, of: ended)
    }

    /// Postgres cannot read the document: it is cleaned once and tried again; a second time its jobs end.
    private func mend(_ ready: ReadyDocument, _ refusal: String) async {
        if ready.isNotModified {
            // Asked again, by what is there now.
            let ends = ready.fetch.jobs.map { JobEnd($0, .release, delay: .seconds(1), cause: .changed) }
            return await board.putBack(ready.settled(ends, error: "what is stored changed while the API was asked"))
        }
        let isAnotherDocument = refusal == "other_document" || refusal == "not_an_object"
        if !isAnotherDocument, !ready.isMended {
            var mended = ready
            mended.mend()
            return await board.putBack(mended)
        }
        var generator = SystemRandomNumberGenerator()
        let ends = judge.contract(ready.fetch.jobs, .contract, using: &generator)
        await board.putBack(ready.settled(ends, error: "the document was refused: \(refusal)"))
    }

    /// Postgres refuses to write this one: somebody's trigger or lock, not a bad document.
    private func refused(
        _ ready: ReadyDocument, _ error: PostgresError.ServerError, since begin: ContinuousClock.Instant
    ) async {
        // One that takes longer than a statement may is to blame for that itself only if others were written meanwhile.
        let isOwn =
            switch error.sqlState {
            case .lockNotAvailable: false
            case .queryCancelled: report.snapshot.lastSuccess.map { $0 > begin } ?? false
            default: true
            }
        var generator = SystemRandomNumberGenerator()
        let ends = judge.refusedByDatabase(ready.fetch.jobs, charged: isOwn, using: &generator)
        await board.putBack(ready.settled(ends, error: PostgresError.server(error).description))
    }

    // MARK: Settlements

    private func settle(_ settlements: [Settlement]) async {
        let start = ContinuousClock.now
        let engagements = settlements.filter(\.wasInHand).compactMap(\.engagementID)
        do throws(Failure) {
            let settled = try await persist { write throws(PostgresError) in
                try await queue.settle(settlements, as: write, on: session)
            } orFind: { write throws(PostgresError) in
                try await queue.find(write, on: session)
            }
            let milliseconds = Int64((ContinuousClock.now - start) / .milliseconds(1))
            for settlement in settlements { report.done(settlement, settled, writeMilliseconds: milliseconds) }
            await board.finish(settlements.count, of: engagements)
        } catch {
            guard case .refused(let refusal) = error else { return }
            guard settlements.count == 1 else {
                for settlement in settlements { await settle([settlement]) }
                return
            }
            // It cannot even be given back; the lease's end will do that.
            report.stuck(settlements[0], refusal)
            await board.finish(1, of: engagements)
        }
    }

    // MARK: Persisting

    private enum Failure: Error {
        case refused(PostgresError.ServerError)
        /// The worker ends; the leases do the rest.
        case givenUp
    }

    /// Runs the statement until it succeeds or the server refuses it for what it holds. Outages are waited out here. Where
    /// the answer is lost it is looked up whether the write was committed; only if it was not is it done again.
    private func persist<Result: Sendable>(
        _ statement: (WriteNumber) async throws(PostgresError) -> Result,
        orFind find: (WriteNumber) async throws(PostgresError) -> Result?
    ) async throws(Failure) -> Result {
        var failures = 0
        var unanswered: WriteNumber?
        while !Task.isCancelled {
            let write = numbers.next()
            do throws(PostgresError) {
                if let lost = unanswered, let result = try await find(lost) {
                    database.health.restored(role: role)
                    return result
                }
                unanswered = nil
                let result = try await statement(write)
                database.health.restored(role: role)
                return result
            } catch {
                failures += 1
                if unanswered == nil {
                    if error.sqlState?.isRetriedAtOnce == true { continue }
                    if case .server(let refusal) = error, await !isOutage(refusal) {
                        database.health.restored(role: role)
                        throw .refused(refusal)
                    }
                    if error.isConnectionLoss { unanswered = write }
                }
                if case .cancelled = error { throw .givenUp }
                database.health.lost(error, role: role)
            }
            let pause = Duration.milliseconds(Int.random(in: 100...min(5_000, 200 << min(failures, 5))))
            do { try await Task.sleep(for: pause) } catch { throw .givenUp }
        }
        throw .givenUp
    }

    private var role: String { "write-\(number)" }

    /// The server's trouble and not a row's. Of a statement that waited too long a row may be why, unless a whole table is
    /// locked: then splitting would only wait more often. Where that cannot even be asked, it is the server.
    private func isOutage(_ refusal: PostgresError.ServerError) async -> Bool {
        guard [.lockNotAvailable, .queryCancelled].contains(refusal.sqlState) else {
            return refusal.sqlState.isServerTrouble
        }
        return (try? await session.query(Statements.tablesLocked).first?.boolean("locked")) ?? true
    }
}

extension ReadyDocument {
    fileprivate func settled(_ ends: [JobEnd], error: String) -> Settlement {
        document.reservation?.release()
        return Settlement(
            engagementID: fetch.engagementID, ends: ends, observedAt: observedAt, error: error, record: record
        )
    }

    /// What no jsonb can hold becomes something that it can: U+0000 and lone surrogates U+FFFD, endless numbers text.
    fileprivate mutating func mend() {
        let (json, fixes) = JSONRepair.repair(document.json)
        document.json = json
        isMended = true
        repairs += fixes.map(\.rawValue).sorted()
    }
}
