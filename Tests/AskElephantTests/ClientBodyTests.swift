import AskElephant
import TestKit
import Testing

@Suite(.timeLimit(.minutes(1))) struct ClientBodyTests {
    private static let small = 300_000

    /// As much JSON as asked for, in one long string.
    private static func json(_ size: Int) -> [UInt8] {
        Array("{\"a\":\"".utf8) + [UInt8](repeating: 0x61, count: size - 8) + Array("\"}".utf8)
    }

    private static func chunked(_ chunks: [[UInt8]], end: String) -> RawServer.Step {
        var bytes = Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
        for chunk in chunks {
            bytes += Array((String(chunk.count, radix: 16) + "\r\n").utf8) + chunk + Array("\r\n".utf8)
        }
        return .send(bytes + Array(end.utf8))
    }

    @Test func documentComesWithItsHeadersAndReservation() async throws {
        let budget = ByteBudget(total: 1 << 20)
        let headers = ["ETag: W/\"1\"", "X-Api-Version: 2", "X-Request-Id: rid_1"]
        let body = #"{"id":"x","transcript":"hi"}"#
        var document = try await reply(to: [.answer(200, headers, body: body)], budget: budget).document
        #expect(document?.json == Array(#"{"id":"x","transcript":true}"#.utf8))
        #expect(document?.transcript == Array("hi".utf8))
        #expect(document?.etag == "W/\"1\"")
        #expect(document?.apiVersion == "2")
        #expect(document?.requestID == "rid_1")
        // Without the four bytes "hi" with its quotes, but with `true` and the text.
        #expect(budget.reservedBytes == body.utf8.count + 2)
        document?.reservation?.release()
        #expect(budget.reservedBytes == 0)
        document = nil
        #expect(budget.reservedBytes == 0)
    }

    @Test func otherRepliesLeaveNothingReserved() async throws {
        let budget = ByteBudget(total: 1 << 20)
        _ = try await reply(to: [.answer(404, body: "{}")], budget: budget)
        _ = try await reply(to: [.answer(200, body: "[]")], budget: budget)
        _ = try await reply(to: [.close], budget: budget)
        #expect(budget.reservedBytes == 0)
    }

    @Test func reservationServesTheNextRequestAfterAnotherReply() async throws {
        let budget = ByteBudget(total: 1)
        let reservation = try await budget.reserve()
        let server = try await RawServer([.answer(200, body: "[]")])
        let client = try makeClient(server)
        for _ in 0..<2 {
            let reply = await client.getEngagement(
                Sample.id, expand: [], credential: Sample.credential, reservation: reservation)
            #expect(reply.violation?.kind == .notAnObject)
            #expect(budget.reservedBytes == ByteBudget.entryBytes)
        }
        await client.shutdown()
        try await server.stop()
    }

    @Test func bodyLargerThanItsReservationIsReadWhole() async throws {
        let budget = ByteBudget(total: 1)
        let body = Self.json(2_000_000)
        let withLength = try await reply(to: [.answer(200, body: body)], budget: budget).document
        #expect(withLength?.json == body)
        #expect(budget.reservedBytes == body.count)
        withLength?.reservation?.release()
        let withoutLength = try await reply(to: [Self.chunked([body], end: "0\r\n\r\n")], budget: budget).document
        #expect(withoutLength?.json == body)
    }

    @Test(arguments: ["", " ", "[]", "\"{}\"", "<html>{}</html>", "null"])
    func bodyThatIsNoObjectIsAViolation(body: String) async throws {
        let reply = try await reply(to: [.answer(200, ["X-Request-Id: rid_1"], body: body)])
        #expect(reply.violation == ContractViolation(.notAnObject, status: 200, requestID: "rid_1"))
    }

    @Test func orderMarkIsSkippedAndBadBytesAreReplaced() async throws {
        let marked = try await reply(to: [.answer(200, body: "\u{FEFF} {}")]).document
        #expect(marked?.json == Array(" {}".utf8))
        let bad = try await reply(to: [.answer(200, body: Array("{\"a\":\"".utf8) + [0xFF, 0x00] + Array("\"}".utf8))])
        #expect(bad.document?.json == Array("{\"a\":\"\u{FFFD}\u{FFFD}\"}".utf8))
        #expect(bad.document?.repaired == true)
    }

    @Test func bytesThatRepairAddsAreCounted() async throws {
        let budget = ByteBudget(total: 1)
        let body = Array("{\"a\":\"".utf8) + [UInt8](repeating: 0xFF, count: 200_000) + Array("\"}".utf8)
        let document = try await reply(to: [.answer(200, body: body)], budget: budget).document
        #expect(document?.json.count == 600_008)
        #expect(budget.reservedBytes == 600_008)
        document?.reservation?.release()
        let tooLarge = try await reply(to: [.answer(200, body: body)]) { $0.maxBodyBytes = 600_007 }
        #expect(tooLarge.violation?.kind == .tooLarge)
    }

    @Test func bodyThatIsCutOffIsNoDocument() async throws {
        // What arrives is a valid object each time, so only the framing tells.
        let short = try await reply(to: [.answer(200, ["Content-Length: 10"], body: "{}"), .close])
        #expect(short.failure == .reset)
        let unfinished = try await reply(to: [Self.chunked([Array("{}".utf8)], end: ""), .close])
        #expect(unfinished.failure == .reset)
        let halfChunk = try await reply(to: [Self.chunked([], end: "10\r\n{}"), .close])
        #expect(halfChunk.failure == .reset)
        let nothing = try await reply(to: [.close])
        #expect(nothing.failure == .reset)
        let headOnly = try await reply(to: [.answer(200, ["Content-Length: 2"]), .close])
        #expect(headOnly.failure == .reset)
    }

    @Test func contradictoryLengthsAreNoDocument() async throws {
        let both = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
        #expect(try await reply(to: [.send(both)]).document == nil)
        let two = try await reply(to: [.answer(200, ["Content-Length: 2", "Content-Length: 3"], body: "{}")])
        #expect(two.document == nil)
    }

    /// What follows an answer on its connection, be it another whole answer, is nobody's.
    @Test(arguments: [
        "Content-Length: 10\r\n\r\n{\"id\":\"a\"}HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"id\":\"b\"}",
        "Content-Length: 10\r\n\r\n{\"id\":\"a\"}{\"id\":\"b\"}",
        "Content-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\na\r\n{\"id\":\"a\"}\r\n0\r\n\r\n",
        "Content-Length: 5\r\n\r\n{\"id\":\"a\"}",
    ])
    func aTailIsNotTheNextAnswer(rest: String) async throws {
        let server = try await RawServer([.send("HTTP/1.1 200 OK\r\n" + rest)])
        let client = try makeClient(server) { $0.concurrency = 1 }
        let budget = ByteBudget(total: 1 << 20)
        let isWhole = !rest.contains("Transfer-Encoding")
        for number in 0..<3 {
            let reply = await client.getEngagement(
                Sample.id, expand: [], credential: Sample.credential, budget: budget)
            if number == 0 { #expect((reply.document != nil) == isWhole) }
            if let document = reply.document {
                #expect(!document.json.contains(UInt8(ascii: "b")))
                document.reservation?.release()
            }
        }
        // A request may leave before the tail is met, and fails then.
        #expect(server.connections >= 2, "the connection was used again and again")
        #expect(budget.reservedBytes == 0)
        await client.shutdown()
        try await server.stop()
    }

    @Test func aHundredThousandHeadersAreNoDocument() async throws {
        let headers = (0..<100_000).map { "X-\($0): 1" }
        #expect(try await reply(to: [.answer(200, headers, body: "{}")]).document == nil)
    }

    @Test func answerThatIsNoHTTPIsNamedWithoutItsContent() async throws {
        let reply = try await reply(to: [.send("hunter2 is no protocol\r\n\r\n"), .close])
        guard case .other(let name)? = reply.failure else {
            Issue.record("\(reply)")
            return
        }
        #expect(!name.contains("hunter2"))
    }

    @Test func bodyOverTheLimitIsRefused() async throws {
        let change: (inout Client.Configuration) -> Void = { $0.maxBodyBytes = Self.small }
        // The announced body never comes, so the refusal cannot have waited for it.
        let announced = try await reply(to: [.answer(200, ["Content-Length: 1000000000"])], change)
        #expect(announced.violation?.kind == .tooLarge)
        let streamed = try await reply(to: [Self.chunked([Self.json(Self.small + 1)], end: "")], change)
        #expect(streamed.violation?.kind == .tooLarge)
        let fits = try await reply(to: [.answer(200, body: Self.json(Self.small))], change)
        #expect(fits.document?.json.count == Self.small)
    }

    /// A few bytes may unpack to gigabytes, so nothing packed is asked for, and none is taken.
    @Test func packedBodyIsRefusedUnread() async throws {
        let packed = ["Content-Encoding: gzip"]
        for body in [Gzip.stored(Array(#"{"a":1}"#.utf8)), Gzip.bomb(size: 20_000_000), Array("{}".utf8)] {
            let refused = try await reply(to: [.answer(200, packed, body: body)])
            #expect(refused.violation?.kind == .badCompression)
        }
        let plain = try await reply(to: [.answer(200, ["Content-Encoding: identity"], body: "{}")])
        #expect(plain.document != nil)
    }
}
