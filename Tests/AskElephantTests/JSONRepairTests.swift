import AskElephant
import Testing

@Suite struct JSONRepairTests {
    private func repair(_ text: String) -> (json: String, fixes: Set<JSONRepair.Fix>) {
        let (json, fixes) = JSONRepair.repair(Array(text.utf8))
        return (String(decoding: json, as: UTF8.self), fixes)
    }

    private typealias Repair = (text: String, expected: String, fixes: Set<JSONRepair.Fix>)
    private static let repairs: [Repair] = [
        (#"{"a":"x\u0000y"}"#, #"{"a":"x\ufffdy"}"#, [.nulCharacter]),
        (#"{"\u0000":1}"#, #"{"\ufffd":1}"#, [.nulCharacter]),
        (#"{"a":"\ud83d"}"#, #"{"a":"\ufffd"}"#, [.loneSurrogate]),
        (#"{"a":"\uDE00\uD83D"}"#, #"{"a":"\ufffd\ufffd"}"#, [.loneSurrogate]),
        (#"{"a":"\uD83D\u0000"}"#, #"{"a":"\ufffd\ufffd"}"#, [.loneSurrogate, .nulCharacter]),
        (#"{"a":"\uD83D\uD83D\uDE00"}"#, #"{"a":"\ufffd\uD83D\uDE00"}"#, [.loneSurrogate]),
        (#"{"a":"\\\u0000"}"#, #"{"a":"\\\ufffd"}"#, [.nulCharacter]),
        (#"{"a":1e400000}"#, #"{"a":"1e400000"}"#, [.hugeNumber]),
        (#"[-1.5E-1001 , 1e+1001]"#, #"["-1.5E-1001" , "1e+1001"]"#, [.hugeNumber]),
        (#"[1e99999999999999999999999999]"#, #"["1e99999999999999999999999999"]"#, [.hugeNumber]),
    ]

    @Test(arguments: repairs)
    func whatPostgresRefusesIsReplaced(text: String, expected: String, fixes: Set<JSONRepair.Fix>) {
        let result = repair(text)
        #expect(result.json == expected)
        #expect(result.fixes == fixes)
    }

    @Test func longNumbersBecomeText() {
        let digits = String(repeating: "7", count: 1001)
        #expect(repair("[\(digits)]").json == "[\"\(digits)\"]")
        #expect(repair("[0.\(digits)]").json == "[\"0.\(digits)\"]")
        let kept = "[\(digits.dropFirst()), 1e1000, 1e-1000]"
        #expect(repair(kept).json == kept)
    }

    @Test(arguments: [
        "", "{}", #"{"a":"\\u0000"}"#, #"{"a":"\\\\u0000 \\ud83d"}"#, #"{"a":"\ud83d\ude00"}"#, #"{"a":"1e400000"}"#,
        #"{"a":"u0000"}"#, #"{"a":"\u0001\uFFFF"}"#,
        // No valid JSON: repairing it must not make it so.
        "[1e400000-]", "[01e400000]", "[1.e400000]", "[.5, 1e]", #"{"a":"\u00"#,
        #"{"a":"\u00"}"#, #"{"a":"\"#, "\"", #"{"a":"\x"}"#,
    ])
    func everythingElseStays(text: String) {
        let result = repair(text)
        #expect(result.json == text)
        #expect(result.fixes.isEmpty)
    }

    @Test func anyDepthIsNoDanger() {
        let deep = String(repeating: "[", count: 100_000) + #""\u0000""# + String(repeating: "]", count: 100_000)
        #expect(repair(deep).fixes == [.nulCharacter])
    }

    @Test(arguments: [UInt64](1...200)) func exactlyTheDefectsAreReplaced(seed: UInt64) {
        var generator = RandomJSON(seed: seed, hasDefects: true)
        let (input, expected) = generator.object(depth: 5)
        let result = repair(input)
        #expect(result.json == expected, "seed \(seed)")
        #expect(result.fixes.isEmpty == (input == expected), "seed \(seed)")
        let again = repair(result.json)
        #expect(again.json == result.json && again.fixes.isEmpty, "seed \(seed)")
    }

    @Test(arguments: [UInt64](1...50)) func badJSONNeverBecomesGood(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let pieces = [
            "{", "}", "[", "]", "\"", ",", ":", "\\", "\\u0000", "\\ud83d", "1e9999", "-", "0", ".", "e", "+", " ",
        ]
        for _ in 0..<200 {
            let count = Int.random(in: 0..<12, using: &random)
            let text = "[" + (0..<count).map { _ in pieces.randomElement(using: &random)! }.joined() + "]"
            let result = repair(text)
            guard (try? JSONValue(Array(result.json.utf8))) != nil else { continue }
            // Foundation refuses some of what only Postgres should be asked about, so the defects are taken out first.
            let harmless = text.replacing("\\u0000", with: "\\u0001").replacing("\\ud83d", with: "\\u0002")
                .replacing("1e9999", with: "0e0")
            #expect((try? JSONValue(Array(harmless.utf8))) != nil, "seed \(seed): \(text)")
        }
    }
}
