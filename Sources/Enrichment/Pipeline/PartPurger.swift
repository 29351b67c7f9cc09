import AskElephant

/// For those who must: forgets what is stored of parts that the credential may not read any more.
///
/// Each denied part is swept once, in slices, and again every ten minutes: an answer that was on its way when the scope
/// went may have been written behind the sweep.
actor PartPurger {
    private static let interval: Duration = .seconds(600)

    private enum Progress {
        case at(String)
        case done(ContinuousClock.Instant)
    }

    private let store: CredentialStore
    private var progress: [Expand: Progress] = [:]

    init(store: CredentialStore) { self.store = store }

    /// Runs until the task is cancelled.
    func run(_ scopes: ScopeBook) async {
        while !Task.isCancelled {
            let denied = await scopes.denied
            progress = progress.filter { denied.contains($0.key) }
            for part in denied { await sweep(part) }
            try? await Task.sleep(for: .seconds(1))
        }
    }

    /// Goes as far as the database serves.
    private func sweep(_ part: Expand) async {
        if case .done(let time) = progress[part], .now - time < Self.interval { return }
        if case .at = progress[part] {} else { progress[part] = .at("") }
        while !Task.isCancelled, case .at(let id) = progress[part] {
            do {
                let last = try await store.purge(part, after: id)
                progress[part] = last.map(Progress.at) ?? .done(.now)
            } catch {
                return
            }
        }
    }
}
