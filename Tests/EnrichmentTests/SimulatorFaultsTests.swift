import FoundationEssentials
import Testing

@testable import Simulator

@Suite struct SimulatorFaults {
    @Test func anOverrideAnswersAsOftenAsSaid() async throws {
        let world = makeWorld()
        world.override(world.id(1), SimResponse(status: 500), times: 2)
        var statuses: [Int] = []
        for _ in 0..<3 { statuses.append(try await world.get(world.id(1)).status) }
        #expect(statuses == [500, 500, 200])
        #expect(world.requests(for: world.id(1)).map(\.status) == [500, 500, 200])
        world.overrideAll(SimResponse(status: 503))
        #expect(try await world.get(world.id(2)).status == 503)
        world.clearOverrideOfAll()
        #expect(try await world.get(world.id(2)).status == 200)
    }

    @Test func missingAndGoneComeBack() async throws {
        let world = makeWorld()
        world.setMissing(world.id(1))
        world.setGone(world.id(2))
        #expect(try await world.get(world.id(1)).status == 404)
        #expect(try await world.get(world.id(2)).status == 410)
        world.setMissing(world.id(1), false)
        world.setGone(world.id(2), false)
        #expect(try await world.get(world.id(1)).status == 200)
        #expect(try await world.get(world.id(2)).status == 200)
    }

    @Test(arguments: [
        (Switches.RetryAfter.seconds, "1" as String?), (.zero, "0"), (.garbage, "soon"), (.missing, nil),
        (.httpDate, " GMT"),
    ])
    func tooManyRequestsAreTurnedAway(_ form: Switches.RetryAfter, _ ending: String?) async throws {
        let world = makeWorld { $0.retryAfter = form }
        world.setRateLimit(perSecond: 0)
        let response = try await world.get(world.id(1))
        #expect(response.status == 429)
        #expect(response.header("Retry-After")?.suffix(ending?.count ?? 0) == ending?[...])
        world.setRateLimit(perSecond: nil)
        #expect(try await world.get(world.id(1)).status == 200)
    }

    @Test func anHTTPDateIsWrittenAsTheStandardHasIt() {
        #expect(Problem.httpDate(secondsSince1970: 784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(SimTime("1994-11-06T08:49:37.5Z")?.milliseconds == 784_111_777_500)
        #expect(SimTime(milliseconds: 784_111_777_050).text() == "1994-11-06T08:49:37.050Z")
    }

    @Test(.timeLimit(.minutes(5))) func aHeldAnswerIsOfTheTimeOfItsRequest() async throws {
        let world = makeWorld()
        let id = world.id(1)
        let before = world.truth(id)
        world.hold(id)
        async let held = world.get(id)
        try await world.waitForRequest(id)
        #expect(world.requests(for: id).map(\.status) == [nil])
        world.bump(id)
        world.releaseHold(id)
        #expect(try await held.json["updated_at"]?.text.flatMap { SimTime($0) } == before.updatedAt)
        #expect(world.truth(id).updatedAt > before.updatedAt)
        #expect(world.requests(for: id).map(\.status) == [200])
    }

    @Test(.timeLimit(.minutes(5))) func theNthRequestIsWaitedFor() async throws {
        let world = makeWorld()
        async let arrived: Void = world.waitForRequest(world.id(1), count: 3)
        for _ in 0..<3 { _ = try await world.get(world.id(1), "tags,owner") }
        try await arrived
        try await world.waitForRequests(total: 3)
        #expect(world.requestCount(for: world.id(1)) == 3 && world.totalRequests == 3)
        #expect(world.requests.map(\.parts.names) == Array(repeating: ["owner", "tags"], count: 3))
    }

    @Test(.timeLimit(.minutes(5))) func waitingEndsWithItsTask() async throws {
        let world = makeWorld()
        let waiting = Task { try await world.waitForRequest(world.id(1)) }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
    }

    @Test func theJournalForgetsTheOldestFirst() {
        var journal = Journal(capacity: 10)
        for _ in 0..<25 { _ = journal.arrived(.engagement(id: "ngmt_a"), .all) }
        journal.answered(25, 200)
        journal.answered(1, 200)
        #expect(journal.entries.count <= 10 && journal.entries.last?.number == 25)
        #expect(journal.entries.filter { $0.status == 200 }.map(\.number) == [25])
        #expect(journal.count("ngmt_a") == 25 && journal.total == 25)
    }
}
