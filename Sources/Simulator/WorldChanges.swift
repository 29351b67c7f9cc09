import Synchronization

/// Changes to what is true, and to who may read it.
extension World {
    // MARK: Engagements

    /// The list shows registered engagements only; a GET finds every id.
    package func register(_ ids: [String]) {
        state.withLock { state in
            for id in ids where state.registeredSet.insert(id).inserted { state.registered.append(id) }
            state.listing = nil
        }
    }

    /// A later version of the engagement, with a later `updated_at`.
    package func bump(_ id: String) {
        state.withLock { $0[id].version += 1 }
    }

    /// From 1 to 600,000, so that `updated_at` stays in 2026.
    package func setVersion(_ id: String, _ version: Int) {
        precondition((1...Generator.highestVersion).contains(version), "no such version")
        state.withLock { $0[id].version = version }
    }

    /// Being processed: without a transcript, whatever the version. Does not move `updated_at`.
    package func setUnfinished(_ id: String) {
        state.withLock { $0[id].isFinished = false }
    }

    /// Processed, as a later version.
    package func finish(_ id: String) {
        state.withLock { state in
            state[id].isFinished = true
            state[id].version += 1
        }
    }

    /// Does not move `updated_at`.
    package func setPrivate(_ id: String, _ isPrivate: Bool = true) {
        state.withLock { $0[id].isPrivate = isPrivate }
    }

    /// 404, or there again.
    package func setMissing(_ id: String, _ isMissing: Bool = true) {
        state.withLock { $0[id].existence = isMissing ? .missing : .present }
    }

    /// 410, or there again.
    package func setGone(_ id: String, _ isGone: Bool = true) {
        state.withLock { $0[id].existence = isGone ? .gone : .present }
    }

    // MARK: What engagements share

    /// A later version of one member of a pool. No engagement's `updated_at` moves (U-21).
    package func bumpContact(_ index: Int) {
        state.withLock { $0.pools.contacts[index, default: 1] += 1 }
    }
    package func bumpCompany(_ index: Int) {
        state.withLock { $0.pools.companies[index, default: 1] += 1 }
    }
    package func bumpUser(_ index: Int) { state.withLock { $0.pools.users[index, default: 1] += 1 } }
    package func bumpTag(_ index: Int) { state.withLock { $0.pools.tags[index, default: 1] += 1 } }

    // MARK: Credentials

    /// - Parameter token: without `Bearer`; one that starts with `sk-apik_` is an API key.
    package func setToken(_ token: String, scopes: Set<String>) {
        state.withLock { $0.access.tokens[token] = scopes }
    }

    /// Gives the scope to every token.
    package func grant(_ scope: String) {
        state.withLock { state in
            for token in state.access.tokens.keys { state.access.tokens[token]?.insert(scope) }
        }
    }

    /// Takes the scope from every token.
    package func revoke(_ scope: String) {
        state.withLock { state in
            for token in state.access.tokens.keys { state.access.tokens[token]?.remove(scope) }
        }
    }

    /// The token answers 401 from now on.
    package func invalidate(_ token: String) {
        state.withLock { $0.access.tokens[token] = nil }
    }

    package var switches: Switches {
        state.withLock { $0.switches }
    }

    package func setSwitches(_ change: @Sendable (inout Switches) -> Void) {
        state.withLock { state in
            change(&state.switches)
            state.listing = nil
        }
    }
}
