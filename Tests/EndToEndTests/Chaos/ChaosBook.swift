import Simulator
import Synchronization

/// What was queued and what changed, and in which order: by this the end is judged.
final class ChaosBook: Sendable {
    struct Entry: Sendable {
        /// The version at the beginning of the last insert that succeeded: what is stored cannot be older.
        var insertedVersion = 1
        var version = 1
        var insertedAt = 0
        var changedAt = 0
        var isInserted = false
    }

    private struct State {
        var entries: [Int: Entry] = [:]
        var clock = 0
        var ownErrors: Set<String> = []
    }

    private let state = Mutex(State())

    func change(_ number: Int, bump: Bool) {
        state.withLock { state in
            state.clock += 1
            state.entries[number, default: Entry()].changedAt = state.clock
            if bump { state.entries[number, default: Entry()].version += 1 }
        }
    }

    /// What an insert that begins now will have seen; to be confirmed when it has succeeded.
    func begin(_ numbers: [Int]) -> [Int: Entry] {
        state.withLock { state in
            state.clock += 1
            return Dictionary(
                numbers.map { number in
                    var entry = state.entries[number, default: Entry()]
                    entry.insertedVersion = entry.version
                    entry.insertedAt = state.clock
                    return (number, entry)
                }, uniquingKeysWith: { first, _ in first })
        }
    }

    func confirm(_ begun: [Int: Entry]) {
        state.withLock { state in
            for (number, entry) in begun {
                state.entries[number, default: Entry()].insertedVersion = entry.insertedVersion
                state.entries[number, default: Entry()].insertedAt = entry.insertedAt
                state.entries[number, default: Entry()].isInserted = true
            }
        }
    }

    func noteOwnError(_ id: String) { state.withLock { _ = $0.ownErrors.insert(id) } }

    var ownErrors: Set<String> { state.withLock(\.ownErrors) }

    var inserted: [Int: Entry] { state.withLock { $0.entries.filter(\.value.isInserted) } }

    /// Those whose last change came after their last insert began.
    var outdated: [Int] { inserted.filter { $0.value.changedAt > $0.value.insertedAt }.keys.sorted() }
}
