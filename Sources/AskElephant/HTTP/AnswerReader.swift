import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// Reads the body of one answer, within its limits.
struct AnswerReader {
    let head: AnswerHead
    let body: HTTPClientResponse.Body
    let maxBodyBytes: Int
    let reservation: Reservation

    /// `now`, in Unix seconds, is what a `Retry-After` is measured against if the server does not say its own time.
    func reply(now: Int64) async -> Reply {
        switch head.kind {
        case .document: await document()
        case .problem: head.reply(problemBody: await problemBody(), now: now)
        case .violation(let kind): head.violation(kind)
        }
    }

    private func document() async -> Reply {
        // Packed, though nobody asked for that.
        if head.isEncoded { return head.violation(.badCompression) }
        // Asking for memory first would only waste it.
        if let length = head.contentLength, length > maxBodyBytes { return head.violation(.tooLarge) }
        do {
            guard let bytes = try await wholeBody() else { return head.violation(.tooLarge) }
            guard var document = Document(body: bytes) else { return head.violation(.notAnObject) }
            document.etag = head.etag
            document.apiVersion = head.apiVersion
            document.requestID = head.requestID
            // Repairing makes three bytes of one, so the size is known only now.
            guard document.byteCount <= maxBodyBytes else { return head.violation(.tooLarge) }
            if document.byteCount > bytes.count { try await reserve(document.byteCount) }
            reservation.shrink(to: document.byteCount)
            document.reservation = reservation
            return .document(document)
        } catch is NoMemory {
            return .transport(.noMemory)
        } catch {
            return .transport(TransportFailure(error))
        }
    }

    /// The wait for memory ended before there was some.
    private struct NoMemory: Error {}

    private func reserve(_ bytes: Int) async throws(NoMemory) {
        do { try await reservation.grow(to: bytes) } catch { throw NoMemory() }
    }

    /// The whole body, nil when it is larger than the limit. The client throws for a body that ends early.
    private func wholeBody() async throws -> [UInt8]? {
        let announced = head.contentLength
        var reserved = ByteBudget.entryBytes
        var bytes: [UInt8] = []
        bytes.reserveCapacity(min(announced ?? 0, reserved))
        for try await chunk in body {
            let size = bytes.count + chunk.readableBytes
            guard size <= maxBodyBytes else { return nil }
            if size > reserved {
                reserved = min(max(size, announced ?? 2 * reserved), maxBodyBytes)
                try await reserve(reserved)
                bytes.reserveCapacity(reserved)
            }
            bytes.append(contentsOf: chunk.readableBytesView)
        }
        // A stream that was cancelled may end without an error.
        try Task.checkCancellation()
        if let announced, announced != bytes.count { throw HTTPParserError.invalidContentLength }
        return bytes
    }

    /// What of a problem arrived. The status has been said already, so a body that is cut off costs only its hints.
    private func problemBody() async -> [UInt8] {
        var bytes: [UInt8] = []
        do {
            for try await chunk in body {
                bytes.append(contentsOf: chunk.readableBytesView.prefix(Problem.bodyLimit - bytes.count))
                if bytes.count == Problem.bodyLimit { break }
            }
        } catch {
            return bytes
        }
        return bytes
    }
}
