/// The nested objects (contract section 5).
extension Renderer {
    func association(_ writer: inout JSONWriter, _ association: SimCRMAssociation?) {
        guard let association else { return none(&writer, "crm_association") }
        writer.key("crm_association")
        writer.object { writer in
            optional(&writer, "object_type", association.objectType)
            writer.member(shape.crmKeys == .id ? "id" : "crm_object_id", association.objectID)
            optional(&writer, "source", association.source)
            guard shape.crmKeys == .extraKeys else { return }
            writer.member("id", "assoc-\(association.objectID)")
            writer.member("url", "https://crm.example/\(association.objectID)")
        }
    }

    func company(_ writer: inout JSONWriter, _ company: SimCompany) {
        writer.object { writer in
            writer.member("object", "engagement_company")
            writer.member("id", company.id)
            if shape.nested == .idsOnly { return }
            text(&writer, "name", company.name)
            list(&writer, "domains", company.domains) { writer, domain in
                writer.object { $0.member("domain", domain) }
            }
            association(&writer, company.crmAssociation)
            unknownKeys(&writer, #""industry":"Software","number_of_employees":250"#)
        }
    }

    func contact(_ writer: inout JSONWriter, _ contact: SimContact) {
        writer.object { writer in
            writer.member("object", "engagement_contact")
            writer.member("id", contact.id)
            if shape.nested == .idsOnly { return }
            text(&writer, "first_name", contact.firstName)
            text(&writer, "last_name", contact.lastName)
            list(&writer, "emails", contact.emails, email)
            list(&writer, "phone_numbers", contact.phoneNumbers, phone)
            companyReference(&writer, contact.companyID)
            optional(&writer, "time_zone", contact.timeZone)
            association(&writer, contact.crmAssociation)
            unknownKeys(&writer, #""attended":true,"custom":{"tier":1}"#)
        }
    }

    func user(_ writer: inout JSONWriter, _ user: SimUser) {
        writer.object { writer in
            writer.member("object", "user")
            writer.member("id", user.id)
            if shape.nested == .idsOnly { return }
            text(&writer, "first_name", user.firstName)
            text(&writer, "last_name", user.lastName)
            list(&writer, "emails", user.emails, email)
            optional(&writer, "job_title", user.jobTitle)
            writer.member("role", user.role)
            optional(&writer, "time_zone", user.timeZone)
            unknownKeys(&writer, #""seat":"full""#)
        }
    }

    func tag(_ writer: inout JSONWriter, _ tag: SimTag) {
        writer.object { writer in
            writer.member("object", "tag")
            writer.member("id", tag.id)
            if shape.nested == .idsOnly { return }
            text(&writer, "name", tag.name)
            nullable(&writer, "hex_color", tag.hexColor)
            nullable(&writer, "description", tag.description)
            unknownKeys(&writer, #""auto_tagging_enabled":false"#)
        }
    }

    func actionItem(_ writer: inout JSONWriter, _ item: SimActionItem) {
        writer.object { writer in
            optional(&writer, "id", item.id)
            if shape.nested == .idsOnly { return }
            text(&writer, "text", item.text)
            optional(&writer, "status", item.status)
            optional(&writer, "assignee_user_id", item.assigneeUserID)
            time(&writer, "due_at", item.dueAt)
            unknownKeys(&writer, #""origin":{"model":"v3","confidence":0.87}"#)
        }
    }

    func signal(_ writer: inout JSONWriter, _ signal: SimSignal) {
        writer.object { writer in
            optional(&writer, "id", signal.id)
            if shape.nested == .idsOnly { return }
            optional(&writer, "type", signal.type)
            text(&writer, "name", signal.name)
            optional(&writer, "value", signal.value)
            number(&writer, "score", signal.score)
            unknownKeys(&writer, #""evidence":[{"quote":"20% \"cheaper\"","at":12.5}]"#)
        }
    }

    private func email(_ writer: inout JSONWriter, _ email: SimEmail) {
        writer.object { writer in
            writer.member("email", email.email)
            writer.member("is_primary", email.isPrimary)
            unknownKeys(&writer, #""label":"work""#)
        }
    }

    private func phone(_ writer: inout JSONWriter, _ phone: SimPhone) {
        writer.object { writer in
            writer.member("phone_number", phone.phoneNumber)
            writer.member("is_primary", phone.isPrimary)
        }
    }

    private func companyReference(_ writer: inout JSONWriter, _ id: String?) {
        guard let id else { return none(&writer, "company") }
        writer.key("company")
        writer.object { writer in
            writer.member("id", id)
            writer.member("object", "company")
        }
    }

    /// A name or a text, where a type may be wrong.
    private func text(_ writer: inout JSONWriter, _ name: String, _ value: String?) {
        guard shape.nested == .wrongTypes else { return nullable(&writer, name, value) }
        writer.member(name, 7)
    }

    /// Members, not an object, and JSON already.
    private func unknownKeys(_ writer: inout JSONWriter, _ members: String) {
        if shape.hasUnknownNestedKeys { writer.raw(members) }
    }

    private func list<Item>(
        _ writer: inout JSONWriter, _ name: String, _ items: [Item],
        _ write: (inout JSONWriter, Item) -> Void
    ) {
        if items.isEmpty && shape.leavesOutEmptyLists { return }
        writer.list(name, items, write)
    }
}
