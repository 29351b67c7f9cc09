/// What an engagement really is, whatever shape an answer gives it. `nil` means that there is no value.
package struct SimEngagement: Sendable, Equatable {
    package let id: String
    package let version: Int
    package var title = ""
    package var engagementType = "MEETING"
    package var processingStatus = "COMPLETED"
    package var isPrivate = false
    package var createdAt: SimTime
    /// Grows with the version, by at least one second.
    package var updatedAt: SimTime
    package var description: String?
    package var dataSource: String?
    package var isInternal: Bool?
    package var engagementAt: SimTime?
    package var startAt: SimTime?
    package var endAt: SimTime?
    package var durationSeconds: Int?
    package var meetingURL: String?
    /// Any scheme, `wavv://` among them (contract section 4).
    package var externalURL: String?
    package var crmAssociation: SimCRMAssociation?
    package var ownerUserID: String?
    package var hostUserID: String?
    /// `nil` while unfinished, after a failure, and for kinds that are not spoken.
    package var transcript: String?
    /// Without the signature, which differs in every answer.
    package var mediaURL: String?
    package var companies: [SimCompany] = []
    package var contacts: [SimContact] = []
    package var owner: SimUser?
    package var actionItems: [SimActionItem] = []
    package var signals: [SimSignal] = []
    package var tags: [SimTag] = []
}

package struct SimCRMAssociation: Sendable, Hashable {
    /// `object_type` and `source` may be absent (U-11).
    package var objectType: String?
    package var objectID: String
    package var source: String?
}

package struct SimEmail: Sendable, Hashable {
    package var email: String
    package var isPrimary: Bool
}

package struct SimPhone: Sendable, Hashable {
    package var phoneNumber: String
    package var isPrimary: Bool
}

package struct SimCompany: Sendable, Hashable {
    package let id: String
    package var name: String?
    package var domains: [String]
    package var crmAssociation: SimCRMAssociation?
}

package struct SimContact: Sendable, Hashable {
    package let id: String
    package var firstName: String?
    package var lastName: String?
    package var emails: [SimEmail]
    package var phoneNumbers: [SimPhone]
    package var companyID: String?
    package var timeZone: String?
    package var crmAssociation: SimCRMAssociation?
}

package struct SimUser: Sendable, Hashable {
    package let id: String
    package var firstName: String?
    package var lastName: String?
    package var emails: [SimEmail]
    package var jobTitle: String?
    package var role: String
    package var timeZone: String?
}

package struct SimTag: Sendable, Hashable {
    package let id: String
    package var name: String
    package var hexColor: String?
    package var description: String?
}

/// No field of an action item or a signal is documented (U-10); these are the likely ones.
package struct SimActionItem: Sendable, Hashable {
    /// Some have none.
    package var id: String?
    package var text: String
    package var status: String?
    package var assigneeUserID: String?
    package var dueAt: SimTime?
}

package struct SimSignal: Sendable, Hashable {
    /// Some have none.
    package var id: String?
    package var type: String?
    package var name: String
    package var value: String?
    /// From 0 to 100.
    package var score: Int?
}
