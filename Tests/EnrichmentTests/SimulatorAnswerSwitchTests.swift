import Testing

@testable import Simulator

extension SimulatorSwitchTests {
    /// Switches that show in what is answered.
    static let answers: [String: Probe] = [
        "conditional_get": Probe(expected: [
            "ignored": "200 strong same", "honoured": "304 strong same", "weak_tags": "200 weak same",
            "tag_per_response": "200 strong other",
        ]) { remote in
            let tag = try #require(try await remote.get(remote.world.id(1)).header("ETag"))
            let again = try await remote.get(remote.world.id(1), ifNoneMatch: tag)
            let strength = tag.hasPrefix("W/") ? "weak" : "strong"
            return "\(again.status) \(strength) \(again.header("ETag") == tag ? "same" : "other")"
        },
        "api_version": Probe(expected: ["v2": "v2", "unseen": "2027-01-31", "absent": "none"]) { remote in
            try await remote.get(remote.world.id(1)).header("X-Api-Version") ?? "none"
        },
        "without_value": Probe(expected: [
            "varied": "no description, a tag's description", "absent": "no description, no tag's description",
            "null": "a description, a tag's description",
        ]) { remote in
            let documents = try await remote.documents(0..<60)
            let tags = documents.flatMap { $0["tags"]?.items ?? [] }
            let isNull = { (objects: [JSON]) in objects.contains { $0["description"] == .null } ? "a" : "no" }
            return "\(isNull(documents)) description, \(isNull(tags)) tag's description"
        },
        "empty_parts": Probe(expected: [
            "as_typed": "[] null", "null": "null null", "absent": "absent absent", "blank": "blank blank",
        ]) { remote in
            remote.world.setUnfinished(remote.world.id(1))
            let document = try #require(try await remote.get(remote.world.id(1)).json)
            return "\(kind(document["signals"])) \(kind(document["transcript"]))"
        },
        "nested": Probe(expected: [
            "varied": "text, some extra", "plain": "text, no extra", "unknown_keys": "text, all extra",
            "ids_only": "id only", "wrong_types": "number, no extra", "stray_items": "stray",
        ]) { remote in
            let lists = try await remote.documents(0..<60, "tags").compactMap { $0["tags"]?.items }
            return describe(lists)
        },
        "crm_keys": Probe(expected: [
            "crm_object_id": "crm_object_id", "id": "id", "extra_keys": "crm_object_id id url",
        ]) { remote in
            let keys = try await remote.documents(0..<20, "").flatMap { $0["crm_association"]?.names ?? [] }
            return Set(keys).subtracting(["object_type", "source"]).sorted().joined(separator: " ")
        },
        "enum_values": Probe(expected: ["varied": "some", "documented": "none", "unseen": "all"]) { remote in
            share(try await remote.documents(0..<300, "")) { $0["engagement_type"]?.text == "WEBINAR" }
        },
        "timestamps": Probe(expected: ["varied": "some", "whole_seconds": "none", "milliseconds": "all"]) { remote in
            share(try await remote.documents(0..<60, "")) { $0["updated_at"]?.text?.contains(".") == true }
        },
    ]

    private static func kind(_ value: JSON?) -> String {
        switch value {
        case nil: "absent"
        case .null: "null"
        case .array([]): "[]"
        case .string(""): "blank"
        default: "something"
        }
    }

    private static func share(_ values: [JSON], _ isSo: (JSON) -> Bool) -> String {
        let count = values.filter(isSo).count
        return count == 0 ? "none" : count == values.count ? "all" : "some"
    }

    /// What the tags of many documents look like.
    private static func describe(_ lists: [[JSON]]) -> String {
        if lists.allSatisfy({ $0.first?.text != nil }) { return "stray" }
        let tags = lists.flatMap(\.self)
        if tags.allSatisfy({ $0.names == ["object", "id"] }) { return "id only" }
        let extra = share(tags) { $0["auto_tagging_enabled"] != nil }.replacing("none", with: "no")
        let isText = tags.allSatisfy { $0["name"]?.text != nil }
        let isNumber = tags.allSatisfy { $0["name"] == .number(7) }
        return "\(isText ? "text" : isNumber ? "number" : "neither"), \(extra) extra"
    }
}
