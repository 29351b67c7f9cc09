import FoundationEssentials
import Testing

@testable import Simulator

@Suite struct SimulatorDocuments {
    @Test func theSeedDecidesEverything() async throws {
        let (one, same, other) = (makeWorld(), makeWorld(), makeWorld(seed: 8))
        var differences = 0
        for number in 0..<100 {
            let id = one.id(number)
            #expect(one.truth(id) == same.truth(id))
            let (first, second) = try await (one.get(id), same.get(id))
            #expect(first == second)
            if one.truth(id).title != other.truth(id).title { differences += 1 }
        }
        #expect(differences > 50)
    }

    @Test(arguments: [Switches.WithoutValue.varied, .absent, .null], [Switches.CRMKeys.crmObjectID, .id, .extraKeys])
    func everyDocumentKeepsToTheContract(_ withoutValue: Switches.WithoutValue, _ keys: Switches.CRMKeys) async throws {
        let world = makeWorld {
            $0.withoutValue = withoutValue
            $0.crmKeys = keys
        }
        for number in 0..<60 {
            let response = try await world.get(world.id(number))
            #expect(response.status == 200)
            try expectContract(response.json, allowsNull: withoutValue == .null)
        }
    }

    @Test func aDocumentSaysWhatIsTrue() async throws {
        let world = makeWorld()
        for number in 0..<200 {
            let truth = world.truth(world.id(number))
            let document = try await world.get(truth.id).json
            #expect(document["title"]?.text == truth.title)
            #expect(document["transcript"]?.text == truth.transcript)
            #expect(document["description"]?.text == truth.description)
            #expect(document["updated_at"]?.text.flatMap { SimTime($0) } == truth.updatedAt)
            #expect(document["crm_association"]?["crm_object_id"]?.text == truth.crmAssociation?.objectID)
            #expect(document["owner"]?["id"]?.text == truth.ownerUserID)
            #expect(document["contacts"]?.items?.map { $0["id"]?.text } == truth.contacts.map(\.id))
            #expect(document["contacts"]?.items?.map { $0["last_name"]?.text } == truth.contacts.map(\.lastName))
            #expect(document["action_items"]?.items?.map { $0["id"]?.text } == truth.actionItems.map(\.id))
            #expect(document["signals"]?.items?.map { $0["name"]?.text } == truth.signals.map(\.name))
        }
    }

    @Test func onlyWhatWasAskedForIsThere() async throws {
        let world = makeWorld()
        let names = Set(simulatorParts.split(separator: ",").map(String.init))
        for (expand, expected) in [
            ("", Set<String>()), ("tags,signals", ["tags", "signals"]), ("contacts%2Cowner", ["contacts", "owner"]),
            ("tags&expand=owner,tags", ["tags", "owner"]),
        ] {
            let document = try await world.get(world.id(1), expand).json
            #expect(document.names.intersection(names) == expected)
        }
    }

    @Test func shapesAndContentsVary() {
        let world = makeWorld()
        let all = (0..<1_000).map { world.truth(world.id($0)) }
        #expect(Set(all.map(\.engagementType)).count == 8, "seven documented types and an unseen one")
        #expect(Set(all.map(\.processingStatus)) == ["COMPLETED", "FAILED", "PROCESSING"])
        #expect(all.contains { $0.externalURL?.hasPrefix("wavv://") == true })
        #expect(all.contains { $0.owner == nil } && all.contains { $0.contacts.isEmpty })
        #expect(all.contains { !$0.createdAt.isWholeSecond } && all.contains { $0.createdAt.isWholeSecond })
        let items = all.flatMap(\.actionItems)
        #expect(items.contains { $0.id == nil } && items.contains { $0.id != nil })
        #expect(all.allSatisfy { !$0.isPrivate })
        #expect(Set(all.flatMap(\.contacts).map(\.id)).count < all.flatMap(\.contacts).count, "contacts are shared")
    }

    @Test func laterVersionsChangeAndStayInTheYear() throws {
        let world = makeWorld()
        let end = try #require(SimTime("2026-11-01T00:00:00Z"))
        var (dropped, restored, added, removed) = (0, 0, 0, 0)
        for number in 0..<20 {
            let versions = (1...30).map { world.engagement(world.id(number), version: $0) }
            for (old, new) in zip(versions, versions.dropFirst()) {
                #expect(old.updatedAt.milliseconds + 1_000 <= new.updatedAt.milliseconds)
                let (before, after) = (Set(old.contacts.map(\.id)), Set(new.contacts.map(\.id)))
                added += after.subtracting(before).count
                removed += before.subtracting(after).count
                if old.crmAssociation != nil && new.crmAssociation == nil { dropped += 1 }
                if old.crmAssociation == nil && new.crmAssociation != nil { restored += 1 }
            }
            #expect(world.engagement(world.id(number), version: Generator.highestVersion).updatedAt < end)
        }
        #expect(min(dropped, restored, added, removed) > 10)
    }

    @Test func aSharedContactChangesEverywhere() throws {
        var settings = SimulatorSettings()
        settings.contactPool = 3
        settings.children = 3...3
        let world = makeWorld(settings)
        let before = world.contact(0)
        let holders = (0..<50).map(world.id).filter { world.truth($0).contacts.contains(before) }
        let times = holders.map { world.truth($0).updatedAt }
        world.bumpContact(0)
        try #require(holders.count > 10 && world.contact(0) != before)
        #expect(holders.allSatisfy { world.truth($0).contacts.contains(world.contact(0)) })
        #expect(holders.map { world.truth($0).updatedAt } == times)
    }

    @Test func anUnfinishedEngagementBecomesFinished() async throws {
        var settings = SimulatorSettings()
        settings.unfinishedPercent = 0
        let world = makeWorld(settings) { $0.enumValues = .documented }
        let id = try #require((0..<100).map(world.id).first { world.truth($0).transcript != nil })
        world.setUnfinished(id)
        let before = world.truth(id)
        let document = try await world.get(id).json
        #expect(document["processing_status"]?.text == "PROCESSING")
        #expect(document["transcript"] == .null && before.signals.count <= 1)
        world.finish(id)
        #expect(world.truth(id).transcript != nil && world.truth(id).updatedAt > before.updatedAt)
    }

    @Test func aTranscriptHasTheSetLength() throws {
        var settings = SimulatorSettings()
        settings.transcriptBytes = 38_000...38_000
        let world = makeWorld(settings)
        let lengths = (0..<50).compactMap { world.truth(world.id($0)).transcript?.utf8.count }
        #expect(lengths.count > 30 && lengths.allSatisfy { (38_000..<38_100).contains($0) })
    }

    @Test func mediaIsSignedAnewAndTheTagDoesNotMind() async throws {
        let world = makeWorld { $0.enumValues = .documented }
        let id = try #require((0..<100).map(world.id).first { world.truth($0).mediaURL != nil })
        let (first, second) = try await (world.get(id), world.get(id))
        let addresses = try [first, second].map { try $0.json["media_url"]?.text }
        #expect(addresses[0] != addresses[1] && addresses.allSatisfy { $0?.contains("signature=SIGNATURE-") == true })
        #expect(first.header("ETag") != nil && first.header("etag") == second.header("ETag"))
        world.bump(id)
        #expect(try await world.get(id).header("ETag") != first.header("ETag"))
        #expect(first.header("X-Api-Version") != nil)
    }

    @Test func aTagIsHonouredOnlyWhenSwitchedOn() async throws {
        let world = makeWorld()
        let tag = try await world.get(world.id(1), "tags").header("ETag")
        #expect(try await world.get(world.id(1), "tags", ifNoneMatch: tag).status == 200)
        world.setSwitches { $0.conditionalGet = .honoured }
        #expect(try await world.get(world.id(1), "tags", ifNoneMatch: tag).status == 304)
    }

    @Test(arguments: [Switches.Timestamps.wholeSeconds, .milliseconds])
    func timestampsAreAsSwitched(_ timestamps: Switches.Timestamps) async throws {
        let world = makeWorld { $0.timestamps = timestamps }
        for number in 0..<30 {
            let text = try #require(try await world.get(world.id(number), "").json["updated_at"]?.text)
            #expect(text.utf8.count == (timestamps == .wholeSeconds ? 20 : 24))
            #expect(SimTime(text) == world.truth(world.id(number)).updatedAt)
        }
    }

    /// The types of contract sections 4 and 5.
    private func expectContract(_ document: JSON, allowsNull: Bool) throws {
        #expect(document["object"] == .string("engagement"))
        for name in ["id", "title", "engagement_type", "processing_status", "created_at", "updated_at"] {
            #expect(document[name]?.text != nil, "\(name)")
        }
        for name in ["description", "data_source", "engagement_at", "start_at", "end_at", "meeting_url"] {
            guard let value = document[name] else { continue }
            #expect(value.text != nil || (allowsNull && value == .null), "\(name)")
        }
        for name in ["companies", "contacts", "action_items", "signals", "tags"] {
            let items = try #require(document[name]?.items, "\(name)")
            #expect(items.allSatisfy { if case .object = $0 { true } else { false } }, "\(name)")
        }
        for name in ["transcript", "media_url"] {
            let value = try #require(document[name])
            #expect(value.text != nil || value == .null)
        }
        for company in try #require(document["companies"]?.items) {
            #expect(company["object"] == .string("engagement_company"))
            #expect(company["id"]?.text?.hasPrefix("cmp_") == true)
        }
        for contact in try #require(document["contacts"]?.items) {
            #expect(contact["id"]?.text?.hasPrefix("cnt_") == true)
            for email in contact["emails"]?.items ?? [] { #expect(email["email"]?.text?.contains("@") == true) }
        }
        let owner = try #require(document["owner"])
        #expect(owner == .null || owner["id"]?.text?.hasPrefix("usr_") == true)
    }
}
