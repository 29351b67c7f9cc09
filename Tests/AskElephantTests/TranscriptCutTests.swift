import AskElephant
import Testing

@Suite struct TranscriptCutTests {
    private func cut(_ text: String) -> (json: String, transcript: String?) {
        let (json, transcript) = TranscriptCut.cut(Array(text.utf8))
        return (String(decoding: json, as: UTF8.self), transcript.map { String(decoding: $0, as: UTF8.self) })
    }

    @Test(arguments: [
        (#"{"transcript":"hi"}"#, #"{"transcript":true}"#, "hi"),
        (#"{"transcript":""}"#, #"{"transcript":true}"#, ""),
        (
            #" {"id":"a", "transcript" : "hi" ,"b":[{"transcript":"no"}]} "#,
            #" {"id":"a", "transcript" : true ,"b":[{"transcript":"no"}]} "#, "hi"
        ),
        (#"{"a":"\"transcript\":\"x\\","transcript":"y"}"#, #"{"a":"\"transcript\":\"x\\","transcript":true}"#, "y"),
        (
            #"{"transcript":"\"\\\/\b\f\n\r\té\u00e9\uD83D\uDE00"}"#, #"{"transcript":true}"#,
            "\"\\/\u{8}\u{c}\n\r\té\u{e9}😀"
        ),
        (#"{"transcript":"\\u0000"}"#, #"{"transcript":true}"#, "\\u0000"),
        (#"{"transcript":"\u0001\u07ff\uffff"}"#, #"{"transcript":true}"#, "\u{1}\u{7ff}\u{ffff}"),
        (
            #"{"Transcript":1,"transcripts":"a","transcript":"b"}"#,
            #"{"Transcript":1,"transcripts":"a","transcript":true}"#, "b"
        ),
    ])
    func transcriptIsCutOut(text: String, json: String, transcript: String) {
        let result = cut(text)
        #expect(result.json == json)
        #expect(result.transcript == transcript)
    }

    @Test(arguments: [
        "", " ", "{}", "[]", "null", #""transcript""#, #"{"id":"a"}"#, #"[{"transcript":"a"}]"#,
        #"{"a":{"transcript":"b"}}"#,
        #"{"transcript":null}"#, #"{"transcript":true}"#, #"{"transcript":5}"#, #"{"transcript":["a"]}"#,
        #"{"transcript":"a","transcript":"b"}"#, #"{"transcript":"a","transcript":null}"#,
        #"{"transcript":null,"transcript":"a"}"#,
        #"{"transcript":"a","transcr\u0069pt":"b"}"#, #"{"\u0074ranscript":"a"}"#,
        #"{"transcript":"\ud83d"}"#, #"{"transcript":"\ude00"}"#, #"{"transcript":"\ud83d\u0041"}"#,
        #"{"transcript":"\ud83dx"}"#, #"{"transcript":"\ud83d\ud83d"}"#,
        #"{"transcript":"\u0000"}"#, #"{"transcript":"\x"}"#, #"{"transcript":"\u12"}"#, #"{"transcript":"\u12G4"}"#,
        "{\"transcript\":\"a\nb\"}", "{\"transcript\":\"a\u{1f}b\"}",
        #"{"transcript":"a"#, #"{"transcript":"a""#, #"{"transcript":"a","#, #"{"transcript":"a\"}"#, #"{"transcript""#,
        #"{"transcript":"a"} x"#, #"{"transcript":"a"}{}"#, #"{"transcript" "a"}"#, #"{transcript:"a"}"#,
        #"{"transcript":"a","b":[}"#, #"{"transcript":"a",}"#,
    ])
    func unusualDocumentStaysWhole(text: String) {
        let result = cut(text)
        #expect(result.json == text)
        #expect(result.transcript == nil)
    }

    @Test func anyDepthIsNoDanger() {
        let deep = String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)
        let result = cut(#"{"a":"# + deep + #","transcript":"t"}"#)
        #expect(result.transcript == "t")
        #expect(cut(#"{"a":"# + String(repeating: #"{"a":"#, count: 100_000)).transcript == nil)
    }

    @Test(arguments: [UInt64](1...200)) func restAndTextAgreeWithFoundation(seed: UInt64) throws {
        var generator = RandomJSON(seed: seed, hasDefects: false)
        let text = generator.string().input
        let member = "\"transcript\":" + text
        let bytes = Array(generator.object(depth: 4, first: [(member, member)]).input.utf8)
        let (json, transcript) = TranscriptCut.cut(bytes)
        guard case .object(var expected) = try JSONValue(bytes),
            case .text(let decoded) = try JSONValue(Array(text.utf8))
        else {
            Issue.record("seed \(seed): the generator made no object")
            return
        }
        // Keys with escapes are left to Postgres.
        guard let transcript else {
            #expect(json == bytes, "seed \(seed)")
            #expect(expected.keys.contains { $0.contains("\n") }, "seed \(seed)")
            return
        }
        expected["transcript"] = .bool(true)
        #expect(transcript == Array(decoded.utf8), "seed \(seed)")
        #expect(try JSONValue(json) == .object(expected), "seed \(seed)")
    }

    @Test(arguments: [UInt64](1...50)) func anyBytesComeBackWholeOrSmaller(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let pieces = [
            "{", "}", "[", "]", "\"", ",", ":", "\\", "\\u", "d83d", "0000", "\"transcript\":\"", " ", "1", "\n",
        ]
        for _ in 0..<200 {
            let count = Int.random(in: 0..<20, using: &random)
            let text = "{" + (0..<count).map { _ in pieces.randomElement(using: &random)! }.joined()
            let (json, transcript) = TranscriptCut.cut(Array(text.utf8))
            #expect(transcript != nil || json == Array(text.utf8), "seed \(seed): \(text)")
            let isValid = (try? JSONValue(Array(text.utf8))) != nil
            let staysValid = (try? JSONValue(json)) != nil
            #expect(isValid == staysValid, "seed \(seed): \(text)")
        }
    }
}
