/// The versions of everything that engagements share; what is not listed is at version 1.
struct PoolVersions: Sendable, Equatable {
    var contacts: [Int: Int] = [:]
    var companies: [Int: Int] = [:]
    var users: [Int: Int] = [:]
    var tags: [Int: Int] = [:]
}

/// The workspace's contacts, companies, users and tags: each a pure function of seed, index and version.
struct Pools: Sendable {
    let seed: UInt64
    let settings: SimulatorSettings
    let versions: PoolVersions

    func contact(_ index: Int) -> SimContact {
        let version = versions.contacts[index, default: 1]
        let fixed = draws(.contact, index)
        var random = fixed.stream(.content, epoch: version)
        let first = fixed.pick(.firstName, Vocabulary.firstNames)
        let hasCompany = random.chance(percent: 80)
        return SimContact(
            id: contactID(index),
            firstName: random.chance(percent: 90) ? first : nil,
            lastName: random.chance(percent: 85) ? random.pick(Vocabulary.lastNames) : nil,
            emails: emails(of: "c\(index)", count: random.below(3), version: version),
            phoneNumbers: random.chance(percent: 40)
                ? [SimPhone(phoneNumber: "+1-555-\(1_000 + random.below(9_000))", isPrimary: true)] : [],
            companyID: hasCompany ? companyID(fixed.number(.company, below: settings.companyPool)) : nil,
            timeZone: random.chance(percent: 30) ? random.pick(Vocabulary.timeZones) : nil,
            crmAssociation: association(fixed, version: version, type: "contact")
        )
    }

    func company(_ index: Int) -> SimCompany {
        let version = versions.companies[index, default: 1]
        let fixed = draws(.company, index)
        var random = fixed.stream(.content, epoch: version)
        let name = "\(fixed.pick(.title, Vocabulary.companies)) \(index)"
        return SimCompany(
            id: companyID(index),
            name: random.chance(percent: 95) ? (version > 1 ? "\(name) (\(version))" : name) : nil,
            domains: (0..<random.below(3)).map { "company\(index)-\($0).example" },
            crmAssociation: association(fixed, version: version, type: "company")
        )
    }

    func user(_ index: Int) -> SimUser {
        let version = versions.users[index, default: 1]
        let fixed = draws(.user, index)
        var random = fixed.stream(.content, epoch: version)
        return SimUser(
            id: userID(index),
            firstName: fixed.pick(.firstName, Vocabulary.firstNames),
            lastName: random.chance(percent: 95) ? random.pick(Vocabulary.lastNames) : nil,
            emails: emails(of: "u\(index)", count: 1, version: version),
            jobTitle: random.chance(percent: 60) ? random.pick(Vocabulary.jobTitles) : nil,
            role: random.chance(percent: 10) ? "INACTIVE" : "MEMBER",
            timeZone: random.chance(percent: 50) ? random.pick(Vocabulary.timeZones) : nil
        )
    }

    func tag(_ index: Int) -> SimTag {
        let version = versions.tags[index, default: 1]
        var random = draws(.tag, index).stream(.content, epoch: version)
        let name = "\(Vocabulary.tags[index % Vocabulary.tags.count]) \(index)"
        return SimTag(
            id: Identifier.make("tag_", draws(.tag, index).base),
            name: version > 1 ? "\(name) (\(version))" : name,
            hexColor: random.chance(percent: 70) ? random.pick(["#3366CC", "#dc3912", "#FF9900"]) : nil,
            description: random.chance(percent: 30) ? "About \(name)" : nil
        )
    }

    func contactID(_ index: Int) -> String { Identifier.make("cnt_", draws(.contact, index).base) }
    func companyID(_ index: Int) -> String { Identifier.make("cmp_", draws(.company, index).base) }
    func userID(_ index: Int) -> String { Identifier.make("usr_", draws(.user, index).base) }

    private func draws(_ salt: Draws.Salt, _ index: Int) -> Draws {
        Draws(
            base: SplitMix64.mixed(
                seed &+ salt.rawValue &* 0x1000_0001 &+ UInt64(index) &* 0x9E37_79B9_7F4A_7C15))
    }

    private func emails(of owner: String, count: Int, version: Int) -> [SimEmail] {
        (0..<count).map { position in
            let suffix = version > 1 ? ".v\(version)" : ""
            return SimEmail(
                email: "\(owner)-\(position)\(suffix)@people.example", isPrimary: position == 0)
        }
    }

    /// Comes and goes with versions, always with the same record, so that links close and open again.
    private func association(_ fixed: Draws, version: Int, type: String) -> SimCRMAssociation? {
        var random = fixed.stream(.crm)
        guard random.chance(percent: 70) else { return nil }
        var now = fixed.stream(.crm, epoch: version)
        guard version == 1 || now.chance(percent: 70) else { return nil }
        return SimCRMAssociation(
            objectType: type,
            objectID: String(10_000 + random.below(90_000_000)),
            source: random.chance(percent: 90) ? random.pick(Vocabulary.sources) : nil
        )
    }
}
