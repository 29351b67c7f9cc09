import Simulator
import TestKit
import Testing

/// Lists and items that are not what they should be.
@Suite(.serialized) struct HostilePartTests {
    private static let word = HostileLab.canary
    /// Does not compress, so that it would not fit an index.
    private static let longID: String = {
        var random = SeededRandom(seed: 3)
        return String((0..<3_000).map { _ in "abcdefghijklmnopqrstuvwxyz0123456789".randomElement(using: &random)! })
    }()

    private static func count(_ table: String) -> String { "SELECT count(*) FROM \(table) WHERE engagement_id = $id" }

    @Test func aListOfAnyLengthArrives() async throws {
        let many = "[" + (0..<50_000).map { #"{"id":"cnt_\#($0)"}"# }.joined(separator: ",") + "]"
        try await HostileLab.run([
            .init("50,000 contacts", ["contacts": many], Self.count("engagement_contacts"), "50000"),
            .init("none", ["contacts": "[]"], Self.count("engagement_contacts"), "0"),
            .init("none is no gap", ["contacts": "[]"], Self.count("engagement_gaps"), "0"),
        ])
    }

    @Test func repeatedItemsAndItemsWithoutIDHaveKeysOfTheirOwn() async throws {
        let twice = #"[{"id":"cnt_twice","first_name":"One"},{"id":"cnt_twice","first_name":"Two"}]"#
        let name = "SELECT first_name FROM contacts WHERE id = 'cnt_twice' AND $id > ''"
        let keys =
            "SELECT string_agg(right(id, 2), ',' ORDER BY _position) FROM engagement_action_items WHERE engagement_id = $id"
        try await HostileLab.run([
            .init("twice is one link", ["contacts": twice], Self.count("engagement_contacts"), "1"),
            .init("the last counts", ["contacts": twice], name, "Two"),
            .init(
                "without id", ["contacts": #"[{"first_name":"A"},{"first_name":"B"}]"#],
                Self.count("engagement_contacts"), "2"),
            .init("equal items", ["action_items": #"[{"text":"x"},{"text":"x"},{"text":"x"}]"#], keys, "_1,_2,_3"),
            .init(
                "an id that is a number", ["signals": #"[{"id":7},{"id":7}]"#], Self.count("engagement_signals"), "2"),
            .init("an id that is null", ["tags": #"[{"id":null,"name":"x"}]"#], Self.count("engagement_tags"), "1"),
            .init("an empty id", ["tags": #"[{"id":"","name":"x"}]"#], Self.count("engagement_tags"), "1"),
            .init("an empty object", ["companies": "[{}]"], Self.count("engagement_companies"), "1"),
            .init(
                "an owner without id", ["owner": #"{"first_name":"\#(Self.word)"}"#], Self.count("engagement_gaps"), "0"
            ),
        ])
    }

    @Test func idsThatFitNoIndexAreReplaced() async throws {
        let (long, word) = (Self.longID, Self.word)
        let linked =
            "SELECT length(contact_id) || ' ' || left(contact_id, 7) FROM engagement_contacts WHERE engagement_id = $id"
        let open = "SELECT count(*) FROM crm_associations WHERE subject_id = $id"
        let association = #"{"crm_object_id":"\#(long)","source":"\#(word)"}"#
        try await HostileLab.run([
            .init("a contact's id", ["contacts": #"[{"id":"\#(long)"}]"#], linked, "39 digest_"),
            .init(
                "an item's id", ["action_items": #"[{"id":"\#(long)"}]"#], Self.count("engagement_action_items"), "1"),
            .init("an owner's id", ["owner": #"{"id":"\#(long)"}"#], Self.count("engagement_gaps"), "0"),
            .init("a tag's id", ["tags": #"[{"id":"\#(long)"}]"#], Self.count("engagement_tags"), "1"),
            .init("a CRM id", ["crm_association": association], open, "0"),
            .init(
                "a CRM id is an issue", ["crm_association": association],
                "SELECT _issues FROM engagements WHERE id = $id",
                #"[{"field": "crm_association", "expected": "object"}]"#),
            .init("a CRM source", ["crm_association": #"{"crm_object_id":"1","source":"\#(long)"}"#], open, "0"),
            .init(
                "a CRM id of a contact", ["contacts": #"[{"id":"cnt_crm","crm_association":\#(association)}]"#],
                Self.count("engagement_contacts"), "1"),
            .init("a CRM association that is a list", ["crm_association": #"["\#(word)"]"#], open, "0"),
            .init("a CRM association without id", ["crm_association": #"{"source":"\#(word)"}"#], open, "0"),
            .init(
                "an owner_user_id", ["owner_user_id": "\"\(long)\"", "owner": "null"],
                Self.count("engagement_contacts"), "2"),
        ])
    }

    /// Nothing was stored before, so what cannot be read leaves nothing but its gap.
    @Test(arguments: TruthDocument.parts) func aPartOfEachWrongTypeIsAGapAndNothingElse(_ part: String) async throws {
        let isList = !["owner", "transcript", "media_url"].contains(part)
        var values = ["7", "true"]
        if part != "owner" { values.append(#"{"a":"\#(Self.word)"}"#) }
        if part != "transcript" && part != "media_url" { values.append("\"\(Self.word)\"") }
        if isList {
            values += ["[1]", #"["\#(Self.word)"]"#, "[null]", "[[]]", #"[{"id":"x"},7]"#]
        } else {
            values.append("[]")
        }
        let gap = "SELECT string_agg(part || ' ' || cause, ',') FROM engagement_gaps WHERE engagement_id = $id"
        try await HostileLab.run(values.map { .init("\(part) \($0)", [part: $0], gap, "\(part) malformed") })
    }
}
