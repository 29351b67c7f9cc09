import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOHTTP1

/// Takes in one answer, within its limits, on ``ClientThread`` alone.
final class AnswerReader: HTTPClientResponseDelegate, @unchecked Sendable {
    private let maxBodyBytes: Int
    private let reservation: Reservation
    private let isConditional: Bool
    private let deadline: NIODeadline
    private var head: AnswerHead?
    private var body: [UInt8] = []
    private(set) var reserved = ByteBudget.entryBytes
    /// The wait for memory, while there is one.
    private var growing: Task<Void, any Error>?

    /// - Parameters:
    ///   - isConditional: the request named an ETag.
    ///   - deadline: the end of all waiting for memory.
    init(maxBodyBytes: Int, reservation: Reservation, isConditional: Bool, deadline: NIODeadline) {
        self.maxBodyBytes = maxBodyBytes
        self.reservation = reservation
        self.isConditional = isConditional
        self.deadline = deadline
    }

    /// Ends an answer of which enough is known: nothing more of it is read, and its connection is closed.
    private struct Known: Error {
        let reply: Reply
    }

    // MARK: While it arrives

    func didReceiveHead(task: HTTPClient.Task<Void>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
        let head = AnswerHead(
            status: Int(head.status.code), headers: head.headers, isConditional: isConditional)
        self.head = head
        switch head.kind {
        case .problem, .notModified: break
        case .violation(let kind): return end(head.violation(kind))
        // Packed, though nobody asked for that.
        case .document where head.isEncoded: return end(head.violation(.badCompression))
        // Asking for memory first would only waste it.
        case .document where head.contentLength ?? 0 > maxBodyBytes: return end(head.violation(.tooLarge))
        case .document: body.reserveCapacity(min(head.contentLength ?? 0, reserved))
        }
        return Self.goOn
    }

    func didReceiveBodyPart(task: HTTPClient.Task<Void>, _ part: ByteBuffer) -> EventLoopFuture<Void> {
        guard let head else { preconditionFailure("a body came before its head") }
        if case .problem = head.kind {
            body.append(contentsOf: part.readableBytesView.prefix(Problem.bodyLimit - body.count))
            return body.count < Problem.bodyLimit ? Self.goOn : end(problem(head))
        }
        let size = body.count + part.readableBytes
        guard size <= maxBodyBytes else { return end(head.violation(.tooLarge)) }
        guard size > reserved else {
            body.append(contentsOf: part.readableBytesView)
            return Self.goOn
        }
        reserved = min(max(size, head.contentLength ?? 2 * reserved), maxBodyBytes)
        return reserve(reserved).map { [self] in
            body.reserveCapacity(reserved)
            body.append(contentsOf: part.readableBytesView)
        }
    }

    func didFinishRequest(task: HTTPClient.Task<Void>) throws {}

    private static let goOn = ClientThread.eventLoop.makeSucceededVoidFuture()

    private func end(_ reply: Reply) -> EventLoopFuture<Void> {
        ClientThread.eventLoop.makeFailedFuture(Known(reply: reply))
    }

    private func reserve(_ bytes: Int) -> EventLoopFuture<Void> {
        let growing = Task { [reservation] in try await reservation.grow(to: bytes) }
        self.growing = growing
        // The client's own deadline waits for this once the end of the answer is here.
        let alarm = ClientThread.eventLoop.scheduleTask(deadline: deadline) { growing.cancel() }
        return ClientThread.eventLoop.makeFutureWithTask {
            defer { alarm.cancel() }
            try await growing.value
        }.map { [self] in self.growing = nil }
    }

    /// Ends a wait for memory, and the request with it.
    func stopWaiting() { growing?.cancel() }

    // MARK: Once it has ended

    /// The bytes of the body.
    var size: Int { body.count }

    /// The whole answer, if it is one. Call it once.
    func reply() -> Reply {
        guard let head else { preconditionFailure("an answer ended before its head") }
        switch head.kind {
        case .problem: return problem(head)
        case .notModified: return .notModified(requestID: head.requestID)
        case .document, .violation: break
        }
        if let announced = head.contentLength, announced != body.count { return .transport(.reset) }
        guard var document = Document(body: exchange(&body, with: [])) else { return head.violation(.notAnObject) }
        document.etag = head.etag
        document.apiVersion = head.apiVersion
        document.requestID = head.requestID
        document.reservation = reservation
        // Repairing makes three bytes of one, so the size is known only now.
        return document.byteCount <= maxBodyBytes ? .document(document) : head.violation(.tooLarge)
    }

    /// What a request that failed has brought all the same.
    func reply(after error: any Error) async -> Reply {
        if let known = error as? Known { return known.reply }
        if let growing {
            growing.cancel()
            // The reservation is not to be touched while it waits.
            _ = await growing.result
            return .transport(Task.isCancelled ? .cancelled : .noMemory)
        }
        // The status has been said already, so a body that is cut off costs only its hints.
        if let head, case .problem = head.kind { return problem(head) }
        return .transport(TransportFailure(error))
    }

    private func problem(_ head: AnswerHead) -> Reply {
        head.reply(problemBody: body, now: Int64(Date().timeIntervalSince1970))
    }
}
