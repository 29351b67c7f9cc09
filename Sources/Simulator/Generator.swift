/// What the world knows of one engagement beyond its id.
struct EngagementState: Sendable, Equatable {
    enum Existence: Sendable { case present, missing, gone }

    var version = 1
    var isPrivate = false
    /// `nil`: decided by the id.
    var isFinished: Bool?
    var existence = Existence.present
}

/// The truth about any engagement: a pure function of seed, id, state and the versions of what it shares.
struct Generator: Sendable {
    /// 2026-01-01T00:00:00Z; engagements are created in the 90 days after it.
    static let epoch = SimTime(milliseconds: 1_767_225_600_000)
    /// 30 s a version, so that `updated_at` stays before 2026-11-01.
    static let highestVersion = 600_000

    let seed: UInt64
    let settings: SimulatorSettings
    let enumValues: Switches.EnumValues
    let timestamps: Switches.Timestamps
    let pools: Pools

    func draws(_ id: String) -> Draws {
        Draws(base: StableHash.of(id, seed: seed))
    }

    func engagement(_ id: String, _ state: EngagementState) -> SimEngagement {
        let draws = draws(id)
        let created = createdAt(draws)
        var result = SimEngagement(
            id: id,
            version: state.version,
            createdAt: created,
            updatedAt: updatedAt(draws, version: state.version)
        )
        let isFinished = state.isFinished ?? finishesAtOnce(draws, version: state.version)
        result.isPrivate = state.isPrivate
        fillKind(&result, draws, isFinished: isFinished)
        fillTimes(&result, draws)
        fillTexts(&result, draws)
        fillPeople(&result, draws)
        fillSpoken(&result, draws)
        fillItems(&result, draws, isFinished: isFinished)
        return result
    }

    /// Cheap: the list sorts by it.
    func updatedAt(_ id: String, version: Int) -> SimTime {
        updatedAt(draws(id), version: version)
    }

    // MARK: Times

    private func createdAt(_ draws: Draws) -> SimTime {
        let second = Self.epoch.adding(seconds: draws.number(.times, below: 90 * 86_400))
        return SimTime(milliseconds: second.milliseconds + fraction(draws))
    }

    /// Two hours after creation, when even the longest conversation is over, then 30 s a version.
    private func updatedAt(_ draws: Draws, version: Int) -> SimTime {
        var random = draws.stream(.times, epoch: version)
        return createdAt(draws).adding(seconds: 7_200 + (version - 1) * 30 + random.below(30))
    }

    private func fraction(_ draws: Draws) -> Int64 {
        var random = draws.stream(.times, slot: 1)
        let hasFraction = random.chance(percent: 30)
        switch timestamps {
        case .wholeSeconds: return 0
        case .varied: return hasFraction ? Int64(1 + random.below(999)) : 0
        case .milliseconds: return Int64(random.below(1_000))
        }
    }

    private func fillTimes(_ result: inout SimEngagement, _ draws: Draws) {
        var random = draws.stream(.times, slot: 2)
        if random.chance(percent: 70) { result.engagementAt = result.createdAt }
        guard random.chance(percent: 85) else { return }
        let start = result.createdAt.adding(seconds: random.below(600))
        let duration = 60 + random.below(5_340)
        result.startAt = start
        guard result.processingStatus != "PROCESSING" || random.chance(percent: 50) else { return }
        result.endAt = start.adding(seconds: duration)
        result.durationSeconds = duration
    }

    // MARK: Kind and texts

    private func finishesAtOnce(_ draws: Draws, version: Int) -> Bool {
        version > 1 || draws.number(.unfinished, below: 100) >= settings.unfinishedPercent
    }

    private func fillKind(_ result: inout SimEngagement, _ draws: Draws, isFinished: Bool) {
        let number = draws.number(.kind, below: 100)
        switch number {
        case 0: result.engagementType = enumValues == .documented ? "MEETING" : "WEBINAR"
        case 1..<55: result.engagementType = "MEETING"
        case 55..<92: result.engagementType = "CALL"
        default:
            result.engagementType = ["EMAIL", "TASK", "NOTE", "CALENDAR_EVENT", "DOCUMENT"][number % 5]
        }
        let hasFailed = draws.number(.failed, below: 100) == 0
        result.processingStatus = isFinished ? (hasFailed ? "FAILED" : "COMPLETED") : "PROCESSING"
        guard enumValues == .unseen else { return }
        result.engagementType = "WEBINAR"
        if isFinished { result.processingStatus = "COMPLETED_WITH_NOTES" }
    }

    private func fillTexts(_ result: inout SimEngagement, _ draws: Draws) {
        var random = draws.stream(.texts)
        var changing = draws.stream(.texts, epoch: 1 + result.version / 2)
        result.title = "\(changing.pick(Vocabulary.topics)) with \(random.pick(Vocabulary.companies))"
        if result.version > 1 { result.title += " (\(result.version / 2))" }
        if changing.chance(percent: 30) { result.description = "About \(result.title).\nSecond line." }
        if random.chance(percent: 70) { result.dataSource = random.pick(Vocabulary.dataSources) }
        if random.chance(percent: 70) { result.isInternal = random.chance(percent: 20) }
        if random.chance(percent: 40) {
            result.meetingURL = "https://meet.example/\(random.below(1_000_000))"
        }
        guard random.chance(percent: 40) else { return }
        let number = random.below(1_000_000)
        result.externalURL =
            random.chance(percent: 50)
            ? "wavv://call/\(number)" : "https://dialer.example/calls/\(number)?from=api"
    }

    // MARK: People

    private func fillPeople(_ result: inout SimEngagement, _ draws: Draws) {
        var random = draws.stream(.people)
        var owner = draws.stream(.people, epoch: 1 + result.version / 5)
        if owner.chance(percent: 90) {
            let user = pools.user(owner.below(settings.userPool))
            result.owner = user
            result.ownerUserID = user.id
        }
        if random.chance(percent: 60) {
            result.hostUserID = pools.userID(random.below(settings.userPool))
        }
        result.crmAssociation = association(draws, version: result.version)
        result.companies = picks(.company, settings.companyPool, draws, result.version).map(
            pools.company)
        result.contacts = picks(.contact, settings.contactPool, draws, result.version).map(
            pools.contact)
        result.tags = picks(.tag, settings.tagPool, draws, result.version).map(pools.tag)
    }

    /// Dropped in some versions and back in later ones, mostly to the same record.
    private func association(_ draws: Draws, version: Int) -> SimCRMAssociation? {
        var fixed = draws.stream(.crm)
        var now = draws.stream(.crm, epoch: version)
        guard fixed.chance(percent: 75), version == 1 || now.chance(percent: 70) else { return nil }
        var record = draws.stream(.crm, epoch: version / 4, slot: 1)
        return SimCRMAssociation(
            objectType: record.chance(percent: 95)
                ? (record.chance(percent: 80) ? "deal" : "contact") : nil,
            objectID: String(1_000 + record.below(9_000_000)),
            source: fixed.chance(percent: 90) ? fixed.pick(Vocabulary.sources) : nil
        )
    }

    /// Distinct members of a pool. A version changes about a third of the slots, and now and then their number.
    private func picks(_ salt: Draws.Salt, _ pool: Int, _ draws: Draws, _ version: Int) -> [Int] {
        var count = draws.stream(salt, epoch: version / 2)
        var chosen: [Int] = []
        for slot in 0..<count.within(settings.children) {
            var random = draws.stream(salt, epoch: (version + slot) / 3, slot: slot + 1)
            let index = random.below(pool)
            if !chosen.contains(index) { chosen.append(index) }
        }
        return chosen
    }
}
