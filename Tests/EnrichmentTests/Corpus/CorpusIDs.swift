/// Ids that are none: refused before anything is asked for.
enum CorpusIDs {
    static let refused = [
        "", " ", "ngmt_", "ngmt", "NGMT_abc", "Ngmt_abc", " ngmt_abc", "ngmt_abc ", "ngmt_abc\n", "\tngmt_abc",
        "ngmt_a b",
        "ngmt_a-b", "ngmt_a_b", "ngmt_a.b", "ngmt_a/b", "ngmt_a%2Fb", "ngmt_..", "ngmt_../../v2/users?x=",
        "ngmt_a?expand=x",
        "ngmt_a#b", "ngmt_a&b", "ngmt_a\\b", "ngmt_é", "ngmt_日本", "ngmt_🐘", "ngmt_a\u{200B}", "ngmt_\u{FF11}",
        "cnt_abc",
        "usr_abc", "http://example.com", "//example.com/ngmt_a", "ngmt_" + String(repeating: "a", count: 65), "null",
        "0",
        "-1", "true", "'; DROP TABLE engagements; --", "ngmt_a'; SELECT 1; --", "$1", "%00", "ngmt_%00",
        "ngmt_a\r\nHost: x",
        "ngmt_a\u{85}", "ngmt_a\u{2028}", "{\"event\":\"job.done\"}", "ngmt_a,ngmt_b", "[\"ngmt_a\"]",
        "ngmt_a\u{1B}[31m",
    ]
}
