import Enrichment
import Testing

/// What a sleeping claimer relies on: it wakes when the bell rings, and when its time is over.
struct BellWaitTests {
    /// The race: the alarm of a short wait goes off before the waiting task lies down, finds nobody to wake, and the task
    /// then sleeps until somebody rings, which on a queue that is full already nobody does.
    @Test(.timeLimit(.minutes(5))) func everyWaitEndsHoweverShort() async {
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<32 {
                group.addTask {
                    let bell = Bell()
                    for _ in 0..<2_000 where await bell.wait(for: .nanoseconds(1)) { Issue.record("nobody rang") }
                }
            }
        }
    }

    @Test(.timeLimit(.minutes(5))) func aRingEndsTheWaitAndCountsOnce() async {
        let bell = Bell()
        bell.ring()
        bell.ring()
        #expect(await bell.wait(for: .seconds(600)))
        #expect(await bell.wait(for: .milliseconds(1)) == false)
        let waiting = Task { await bell.wait(for: .seconds(600)) }
        bell.ring()
        #expect(await waiting.value)
    }
}
