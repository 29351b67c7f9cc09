import TestKit

/// What is no JSON, as the collections of edge cases know it: in the place of a value, and around a document.
enum CorpusSyntax {
    static let cases = inValues + around + accepted

    /// Each stands where the title's value belongs.
    private static let values = [
        // Lists and objects.
        "[1,]", "[,1]", "[1,,2]", "[1 2]", "[1:2]", "[", "]", "[[]", "[]]", "[1", "[,]", "[1,\n", "[*]", "[a", "[\"a\"",
        "{", "}", "{\"a\"}", "{\"a\":}", "{:1}", "{\"a\" 1}", "{\"a\":1,}", "{,\"a\":1}", "{\"a\":1,,\"b\":2}", "{a:1}",
        "{'a':1}", "{1:1}", "{null:1}", "{\"a\":1", "{\"a\":1 \"b\":2}", "{\"a\"::1}", "{\"a\",1}", "{[1]:2}",
        "{\"a\":1]",
        "[1}", "(1)", "<1>",
        // Words.
        "tru", "True", "TRUE", "fals", "nul", "Null", "NULL", "None", "undefined", "nan", "yes", "truefalse", "null1",
        // Numbers.
        "NaN", "Infinity", "-Infinity", "+1", ".5", "5.", "-.5", "01", "-01", "00", "0x10", "0b1", "0o7", "1e", "1e+",
        "1.e1", "1.5e", "--1", "-", "+", "1_000", "1,5", "1 000", "1e1.5", "١", "½", "-a", "1a", "2.e3", "0e", "-Inf",
        // Strings.
        "\"", "\"a", "\"a\"b\"", "'a'", "\"\\x41\"", "\"\\u12\"", "\"\\u{41}\"", "\"\\u00G0\"", "\"\\a\"", "\"\\'\"",
        "\"\\", "\"\\u\"", "\"\\ud800\\u\"", "\"a\nb\"", "\"a\tb\"", "\"a\u{01}b\"", "\"a\u{1F}b\"", "“a”", "`a`",
        "\"a\"\"b\"",
        "\\u0041", "\"\\U00000041\"", "\"\\0\"", "\"a\rb\"",
        // What other languages allow.
        "/*c*/1", "1//c", "#c", "1;", "a=1", "@a", "&a", "*a", "!!int 1", "$x", "${x}", "{{x}}", "function(){}",
        "new Date()",
        "/a/", "1n", "<!--c-->1", "",
    ]

    private static var inValues: [HostileLab.Case] {
        values.map { value in .init("the value \(value)", ["title": value], end: .dead("contract")) }
    }

    private static var around: [HostileLab.Case] {
        let bodies: [(String, @Sendable (String) -> String)] = [
            ("a letter after it", { $0 + "x" }), ("a second document", { $0 + $0 }), ("a comma after it", { $0 + "," }),
            ("a bracket after it", { $0 + "]" }), ("a brace after it", { $0 + "}" }),
            ("a letter before it", { "x" + $0 }),
            ("JSON lines", { $0 + "\n" + $0 }), ("in a list", { "[" + $0 + "]" }),
            ("in a string", { "\"" + $0 + "\"" }),
            ("in parentheses", { "(" + $0 + ")" }), ("a callback", { "callback(" + $0 + ");" }),
            ("against hijacking", { ")]}',\n" + $0 }), ("in HTML", { "<pre>" + $0 + "</pre>" }),
            ("without its first byte", { String($0.dropFirst()) }),
            ("without its last byte", { String($0.dropLast()) }),
            ("its first half", { String($0.prefix($0.count / 2)) }),
            ("its second half", { String($0.suffix($0.count / 2)) }),
            ("in another object", { "{\"data\":" + $0 + "}" }), ("a form", { "document=" + $0 }),
            ("an event stream", { "data: " + $0 + "\n\n" }),
        ]
        let texts: [HostileLab.Case] = bodies.map { name, change in
            .init("the document, \(name)", end: .dead("contract")) { id in
                Array(change(TruthDocument(id, title: HostileLab.canary).json).utf8)
            }
        }
        return texts + [
            .init("the document in UTF-16", end: .dead("contract")) { id in
                TruthDocument(id).json.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
            },
            .init("the document in UTF-32", end: .dead("contract")) { id in
                TruthDocument(id).json.utf8.flatMap { [$0, 0, 0, 0] }
            },
            .init("zeros", end: .dead("contract")) { _ in [UInt8](repeating: 0, count: 1_000) },
            .init("every byte", end: .dead("contract")) { _ in (0...255).map { UInt8($0) } },
            .init("an image", end: .dead("contract")) { _ in [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] },
        ]
    }

    /// Unusual, and JSON all the same.
    private static var accepted: [HostileLab.Case] {
        let title = "SELECT title FROM engagements WHERE id = $id"
        @Sendable func document(_ id: String) -> String { TruthDocument(id, title: HostileLab.canary).json }
        return [
            .init("space around it", title, HostileLab.canary) { Array((" \t\r\n" + document($0) + " \r\n\t").utf8) },
            .init("a byte order mark", title, HostileLab.canary) { [0xEF, 0xBB, 0xBF] + Array(document($0).utf8) },
            .init("space between everything", title, HostileLab.canary) {
                Array(document($0).replacing("\":", with: "\" : ").replacing(",\"", with: " , \"").utf8)
            },
            .init("an escaped name of a member", title, HostileLab.canary) {
                Array(document($0).replacing("\"title\"", with: #""\u0074itle""#).utf8)
            },
            .init("every escape", ["title": #""\"\\\/\b\f\n\r\t\u00e9""#], title, "\"\\/\u{08}\u{0C}\n\r\té"),
            .init("a member that nobody knows", ["x": "{\"deep\":[1,{\"er\":null}]}"], title, HostileLab.canary),
            .init("an empty name of a member", ["": "1"], title, HostileLab.canary),
            .init("a member of SQL", ["'; DROP TABLE engagements; --": "1"], title, HostileLab.canary),
            .init("a number of 400 digits", ["x": String(repeating: "9", count: 400)], title, HostileLab.canary),
            .init(
                "a number of 400 decimals", ["x": "0." + String(repeating: "1", count: 400)], title, HostileLab.canary),
            .init("minus zero", ["x": "-0"], title, HostileLab.canary),
            .init("a power with a plus", ["x": "1E+2"], title, HostileLab.canary),
        ]
    }
}
