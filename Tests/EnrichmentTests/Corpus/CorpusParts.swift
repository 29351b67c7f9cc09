import TestKit

/// Parts that are not what they are called, and too much of them.
enum CorpusParts {
    static let cases = wrong + absent + items + many

    private static let lists = ["companies", "contacts", "action_items", "signals", "tags"]
    private static let gap =
        "SELECT string_agg(part || ' ' || cause, ',') FROM engagement_gaps WHERE engagement_id = $id"

    private static var wrong: [HostileLab.Case] {
        let ofLists = [
            "7", "true", "false", "\"text\"", "\"\"", "{}", "{\"id\":\"x\"}", "[1]", "[null]", "[\"x\"]", "[[]]",
            "[true]",
            "[{\"id\":\"x\"},7]", "[{},[]]", "0", "1e2",
        ]
        let ofOwner = ["7", "true", "\"usr_1\"", "[]", "[{}]", "0", "\"\""]
        let ofTexts = ["7", "true", "[]", "{}", "[\"text\"]", "{\"text\":\"x\"}"]
        func cases(_ part: String, _ values: [String]) -> [HostileLab.Case] {
            values.map { .init("\(part): \($0)", [part: $0], gap, "\(part) malformed") }
        }
        return lists.flatMap { cases($0, ofLists) } + cases("owner", ofOwner) + cases("transcript", ofTexts)
            + cases("media_url", ofTexts)
    }

    private static var absent: [HostileLab.Case] {
        let missing: [HostileLab.Case] = lists.flatMap { part in
            [
                .init("\(part): null", [part: "null"], gap, "\(part) not_delivered"),
                .init("no \(part)", [part: nil], gap, "\(part) not_delivered"),
                .init("\(part): []", [part: "[]"], gap, nil),
            ]
        }
        return missing + [
            .init("owner: null", ["owner": "null"], gap, nil),
            .init("no owner", ["owner": nil], gap, "owner not_delivered"),
            .init("media_url: null", ["media_url": "null"], gap, nil),
        ]
    }

    private static var items: [HostileLab.Case] {
        let contacts = "SELECT count(*) FROM engagement_contacts WHERE engagement_id = $id"
        let links = "SELECT count(*) FROM crm_associations WHERE subject_id = $id AND removed_at IS NULL"
        let bad = ["7", "true", "\"x\"", "[]", "[[1]]", "{}", "{\"source\":\"hubspot\"}"]
        return [
            .init("contacts without anything", ["contacts": "[{},{}]"], contacts, "1"),
            .init(
                "the same id twice", ["contacts": #"[{"id":"cnt_twice"},{"id":"cnt_twice","first_name":"B"}]"#],
                contacts, "1"),
            .init("an id of SQL", ["contacts": #"[{"id":"'; DROP TABLE contacts; --"}]"#], contacts, "1"),
            .init("an empty id", ["contacts": #"[{"id":""}]"#], contacts, "1"),
            .init("an id that is a number", ["contacts": #"[{"id":7}]"#], contacts, "1"),
            .init("an id that is null", ["contacts": #"[{"id":null}]"#], contacts, "1"),
            .init(
                "an id of 5 KB", ["contacts": "[{\"id\":\"\(String(repeating: "é", count: 2_500))\"}]"], contacts, "1"),
            .init(
                "emails of each kind", ["contacts": #"[{"id":"cnt_m","emails":[7,null,"x",{"email":7},{}]}]"#],
                contacts, "1"),
            .init("emails that are none", ["contacts": #"[{"id":"cnt_n","emails":{"email":"x"}}]"#], contacts, "1"),
            .init(
                "a company of each kind", ["companies": #"[{"id":"cmp_x","name":7,"domains":[7,{"domain":[]}]}]"#], gap,
                nil),
        ]
            + bad.map { .init("crm_association: \($0)", ["crm_association": $0], links, "0") }
    }

    private static var many: [HostileLab.Case] {
        let items = (0..<50_000).map { "{\"id\":\"s\($0)\",\"name\":\"n\"}" }.joined(separator: ",")
        let count = "SELECT count(*) FROM engagement_signals WHERE engagement_id = $id"
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        return [
            .init("50,000 signals", ["signals": "[\(items)]"], count, "50000"),
            .init(
                "a transcript of 2 MB", ["transcript": "\"\(String(repeating: "word ", count: 400_000))\""],
                "SELECT length(transcript) FROM engagement_transcripts WHERE engagement_id = $id", "2000000"),
            .init(
                "a transcript of 400,000 different words",
                ["transcript": "\"\((0..<400_000).map { "w\($0)" }.joined(separator: " "))\""],
                "SELECT length(transcript) FROM engagement_transcripts WHERE engagement_id = $id", "3088889"),
            .init("200 deep", ["x": nested(200)], gap, nil), .init("5,000 deep", ["x": nested(5_000)], gap, nil),
            .init("100,000 deep", ["x": nested(100_000)], end: .dead("contract")),
        ]
    }
}
