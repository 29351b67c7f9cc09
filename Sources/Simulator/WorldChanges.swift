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

    /// A valid token with these scopes and no others; they need not be documented ones.
    ///
    /// - Parameter token: without `Bearer`; one that starts with `sk-apik_` is an API key.
    package func setToken(_ token: String, scopes: Set<String>) {
        state.withLock { state in
            state.access.tokens[token] = scopes
            state.access.invalid.remove(token)
        }
    }

    /// Gives the scope to a token; `nil`: to every one.
    package func grant(_ scope: String, to token: String? = nil) {
        changeScopes(of: token) { $0.insert(scope) }
    }

    /// Takes the scope from a token; `nil`: from every one.
    package func revoke(_ scope: String, from token: String? = nil) {
        changeScopes(of: token) { $0.remove(scope) }
    }

    private func changeScopes(of token: String?, _ change: @Sendable (inout Set<String>) -> Void) {
        state.withLock { state in
            for known in state.access.tokens.keys where token == nil || token == known {
                if var scopes = state.access.tokens[known] {
                    change(&scopes)
                    state.access.tokens[known] = scopes
                }
            }
        }
    }

    /// The token answers 401 until it is valid again; it keeps its scopes.
    package func invalidate(_ token: String) {
        state.withLock { _ = $0.access.invalid.insert(token) }
    }

    /// The token is as unknown as one that never was.
    package func removeToken(_ token: String) {
        state.withLock { $0.access.tokens[token] = nil }
    }

    /// The new token has the scopes of the old one, which is as unknown from now on as one that never was.
    package func replaceToken(_ old: String, with new: String) {
        state.withLock { state in
            state.access.tokens[new] = state.access.tokens.removeValue(forKey: old)
        }
    }

    package func validate(_ token: String) {
        state.withLock { _ = $0.access.invalid.remove(token) }
    }

    package func knows(token: String) -> Bool {
        state.withLock { $0.access.tokens[token] != nil }
    }

    package var switches: Switches {
        state.withLock { $0.switches }
    }

    /// Sets a switch by its name.
    package func setSwitch(_ name: String, to value: String) throws(SwitchError) {
        var changed = switches
        try changed.set(name, to: value)
        setSwitches { _ = NamedSwitch.named(name)?.set(value, in: &$0) }
    }

    /// The length of every transcript from now on, of those in later answers about known engagements too (U-27).
    package func setTranscriptBytes(_ range: ClosedRange<Int>) {
        state.withLock { $0.settings.transcriptBytes = range }
    }

    package func setSwitches(_ change: @Sendable (inout Switches) -> Void) {
        state.withLock { state in
            change(&state.switches)
            state.listing = nil
        }
    }
}
