/// Random JSON as text, and beside it the same text as ``JSONRepair`` must leave it. Both are put together piece by
/// piece, so the expectation comes from the generator and not from a second scanner.
struct RandomJSON {
    typealias Pair = (input: String, repaired: String)

    var random: SeededRandom
    /// Whether values occur that Postgres refuses.
    var hasDefects: Bool

    init(seed: UInt64, hasDefects: Bool) {
        random = SeededRandom(seed: seed)
        self.hasDefects = hasDefects
    }

    mutating func value(depth: Int) -> Pair {
        switch Int.random(in: 0..<(depth > 0 ? 7 : 5), using: &random) {
        case 0: same("null")
        case 1: same(random.chance(50) ? "true" : "false")
        case 2: number()
        case 3, 4: string()
        case 5: list(depth: depth - 1)
        default: object(depth: depth - 1)
        }
    }

    mutating func string() -> Pair {
        var pair: Pair = ("\"", "\"")
        for _ in 0..<Int.random(in: 0..<12, using: &random) { pair = join(pair, piece()) }
        return join(pair, same("\""))
    }

    mutating func object(depth: Int, first: [Pair] = []) -> Pair {
        var members = first
        for index in 0..<Int.random(in: 0..<5, using: &random) {
            // Keys differ, or Foundation and Postgres would have to agree on which duplicate counts.
            let key = same("\"k\(index)\(random.chance(20) ? "\\n\\u00e9" : "")\"" + space() + ":" + space())
            members.append(join(key, value(depth: depth)))
        }
        members.shuffle(using: &random)
        return enclosed("{", members, "}")
    }

    private mutating func list(depth: Int) -> Pair {
        let items = (0..<Int.random(in: 0..<5, using: &random)).map { _ in value(depth: depth) }
        return enclosed("[", items, "]")
    }

    private mutating func enclosed(_ open: String, _ items: [Pair], _ close: String) -> Pair {
        var pair = same(open + space())
        for (index, item) in items.enumerated() {
            pair = join(pair, same(index == 0 ? "" : "," + space()))
            pair = join(pair, item)
        }
        return join(pair, same(space() + close))
    }

    private mutating func number() -> Pair {
        let huge = [
            "1e1001", "-2.5E+99999", "1e-400000", String(repeating: "9", count: 1001), "0e99999999999999999999",
        ]
        if hasDefects, random.chance(30), let text = huge.randomElement(using: &random) { return (text, "\"\(text)\"") }
        return same(["0", "-1", "12.5", "1e3", "-0.25E-2", "1234567"].randomElement(using: &random)!)
    }

    private mutating func piece() -> Pair {
        let plain = ["a", "Ü", "漢", "😀", " ", "{", "}", "[", "]", ",", ":", "1e9999", "u0000", "transcript"]
        let escaped = [
            #"\n"#, #"\t"#, #"\r"#, #"\b"#, #"\f"#, #"\/"#, #"\""#, #"\\"#, #"\\\""#, #"\u0041"#, #"\u00E9"#,
            #"\ud83d\uDE00"#, #"\\u0000"#, #"\\\\ud800"#,
        ]
        let defects = [
            (#"\u0000"#, #"\ufffd"#), (#"\ud83d"#, #"\ufffd"#), (#"\uDE00"#, #"\ufffd"#),
            (#"\ud83d\ud83d\ude00"#, #"\ufffd\ud83d\ude00"#), (#"\ud83d\u0041"#, #"\ufffd\u0041"#),
            (#"\\\u0000"#, #"\\\ufffd"#),
        ]
        // A half must not meet another half by chance, so something stands behind it.
        if hasDefects, random.chance(30) { return join(defects.randomElement(using: &random)!, same("x")) }
        return same((random.chance(50) ? plain : escaped).randomElement(using: &random)!)
    }

    private mutating func space() -> String {
        ["", "", " ", "\n\t", "\r\n"].randomElement(using: &random)!
    }

    private func same(_ text: String) -> Pair { (text, text) }

    private func join(_ a: Pair, _ b: Pair) -> Pair { (a.input + b.input, a.repaired + b.repaired) }
}
