package import Simulator

/// An engagement's document written by hand: every part is there, and any value can be replaced by any text.
package struct TruthDocument: Sendable {
    package let id: String
    private var members: [(name: String, json: String)]

    /// The ids of its children end in the engagement's own, so that documents share nothing.
    package init(_ id: String, title: String = "First", updatedAt: String = "2026-03-01T10:00:00Z") {
        self.id = id
        members = [
            ("object", #""engagement""#), ("id", "\"\(id)\""), ("title", "\"\(title)\""),
            ("engagement_type", #""MEETING""#), ("processing_status", #""COMPLETED""#), ("is_private", "false"),
            ("created_at", #""2026-03-01T08:00:00Z""#), ("updated_at", "\"\(updatedAt)\""), ("duration_seconds", "60"),
            ("crm_association", #"{"crm_object_id":"deal-1","object_type":"deal","source":"hubspot"}"#),
            ("owner_user_id", "\"usr_\(id)\""),
            ("companies", #"[{"id":"cmp_\#(id)","name":"Acme","domains":[{"domain":"acme.example"}]}]"#),
            ("contacts", "[\(Self.contact("a", id)),\(Self.contact("b", id))]"),
            ("owner", #"{"id":"usr_\#(id)","role":"MEMBER","first_name":"Olu"}"#),
            ("action_items", #"[{"id":"item-1","text":"Call back"},{"text":"Without id"}]"#),
            ("signals", #"[{"id":"signal-1","name":"Budget"}]"#), ("transcript", #""Ann: hello""#),
            ("media_url", #""https://media.example/x.mp4?signature=1""#),
            ("tags", #"[{"id":"tag_\#(id)","name":"Demo"}]"#),
        ]
    }

    package static let parts = [
        "companies", "contacts", "owner", "action_items", "signals", "transcript", "media_url", "tags",
    ]

    /// One contact as JSON; `which` is the letter that tells it from the engagement's others.
    package static func contact(_ which: String, _ id: String, firstName: String = "Ann") -> String {
        #"{"id":"cnt_\#(which)_\#(id)","first_name":"\#(firstName)","emails":[{"email":"\#(which)@people.example"}]}"#
    }

    /// The JSON of a member; nil takes it out.
    package subscript(name: String) -> String? {
        get { members.first { $0.name == name }?.json }
        set {
            let index = members.firstIndex { $0.name == name }
            switch (index, newValue) {
            case (let index?, let json?): members[index].json = json
            case (let index?, nil): members.remove(at: index)
            case (nil, let json?): members.append((name, json))
            case (nil, nil): break
            }
        }
    }

    /// The same with some members replaced.
    package func with(_ changes: [String: String?]) -> TruthDocument {
        var changed = self
        for (name, json) in changes { changed[name] = json }
        return changed
    }

    /// A second member of a name that is there already.
    package mutating func repeatMember(_ name: String, _ json: String) { members.append((name, json)) }

    package var json: String {
        "{" + members.map { "\"\($0.name)\":\($0.json)" }.joined(separator: ",") + "}"
    }
}

extension SimResponse {
    /// A body of bytes that need not be text.
    package static func bytes(_ body: [UInt8]) -> SimResponse {
        SimResponse(status: 200, headers: [("Content-Type", "application/json")], body: body)
    }
}
