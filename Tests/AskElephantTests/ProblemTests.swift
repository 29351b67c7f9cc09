import AskElephant
import Testing

@Suite struct ProblemTests {
    private func problem(_ body: String, header: String? = nil) -> Problem {
        Problem(body: Array(body.utf8), requestIDHeader: header)
    }

    @Test func documentedExampleIsReadWhole() {
        let problem = problem(
            """
            {"type":"https://app.askelephant.ai/errors/validation_failed","title":"Validation Failed","status":422,
             "detail":"Bad limit.","request_id":"rid_1",
             "errors":[{"field":"limit","code":"invalid_range","message":"m"}]}
            """)
        let expected = Problem(
            type: "https://app.askelephant.ai/errors/validation_failed", title: "Validation Failed",
            detail: "Bad limit.", status: 422, requestID: "rid_1",
            errors: [.init(field: "limit", code: "invalid_range", message: "m")])
        #expect(problem == expected)
    }

    @Test func fieldOfTheWrongTypeCostsOnlyItself() {
        let problem = problem(
            #"{"type":5,"title":"t","detail":null,"status":"x","errors":[1,{"code":"c","field":[]},null,"e"]}"#)
        #expect(problem == Problem(title: "t", errors: [.init(code: "c")]))
    }

    @Test(arguments: [
        "", "<html>502</html>", "[]", "null", "\"text\"", "{", "{\"title\":\"cut o", "\u{FEFF}", "{\"errors\":{}}",
        String(repeating: "[", count: 100_000), #"{"errors":"# + String(repeating: "[", count: 60_000),
    ])
    func bodyThatIsNoProblemIsAnEmptyOne(body: String) {
        #expect(problem(body) == Problem())
    }

    @Test func bytesThatAreNoTextAreAnEmptyProblem() {
        #expect(Problem(body: [0x7B, 0xFF, 0xFE, 0x00]) == Problem())
    }

    @Test func requestIdComesFromTheBodyElseFromTheHeader() {
        #expect(problem(#"{"request_id":"rid_1"}"#, header: "h").requestID == "rid_1")
        #expect(problem(#"{"request_id":7}"#, header: "h").requestID == "h")
        #expect(problem("<html>", header: "h").requestID == "h")
    }

    @Test func textsAreFitForPostgres() {
        #expect(problem(#"{"detail":"a\u0000b"}"#).detail == "a\u{FFFD}b")
    }
}
