import Synchronization

/// The workspace behind the simulated API, and the hands that tests move it with.
///
/// Any well-formed id exists unless it was set missing. Everything may be called from any task at any time; a request
/// is answered from the world as it was when the request arrived.
package final class World: Sendable {
    let state: Mutex<State>

    package init(
        seed: UInt64, settings: SimulatorSettings = SimulatorSettings(), switches: Switches = Switches()
    ) {
        state = Mutex(State(seed: seed, settings: settings, switches: switches))
    }

    struct State: Sendable {
        let seed: UInt64
        var settings: SimulatorSettings
        var switches: Switches
        var access = Access()
        var pools = PoolVersions()
        var engagements: [String: EngagementState] = [:]
        /// Made when a list is asked for; `nil` after a change.
        var listing: Listing?
        var registered: [String] = []
        var registeredSet: Set<String> = []

        var overrides: [String: Override] = [:]
        var overrideOfAll: Override?
        var rate = RateLimit()
        var latency = Duration.zero
        var latencies: [String: Duration] = [:]
        var held: Set<String> = []
        var journal = Journal()
        var waiters: [Int: Waiter] = [:]
        var nextWaiter = 0

        init(seed: UInt64, settings: SimulatorSettings, switches: Switches) {
            self.seed = seed
            self.settings = settings
            self.switches = switches
        }

        var generator: Generator {
            Generator(
                seed: seed, settings: settings, enumValues: switches.enumValues,
                timestamps: switches.timestamps,
                pools: Pools(seed: seed, settings: settings, versions: pools)
            )
        }

        subscript(id: String) -> EngagementState {
            get { engagements[id, default: EngagementState()] }
            set {
                engagements[id] = newValue
                listing = nil
            }
        }
    }

    // MARK: The truth

    /// The engagement as it is now, with everything that it shares as that is now; also where nobody may read it.
    package func truth(_ id: String) -> SimEngagement {
        let (generator, state) = state.withLock { ($0.generator, $0[id]) }
        return generator.engagement(id, state)
    }

    /// The same at another version.
    package func engagement(_ id: String, version: Int) -> SimEngagement {
        var (generator, state) = state.withLock { ($0.generator, $0[id]) }
        state.version = version
        return generator.engagement(id, state)
    }

    /// An index into a pool may be any number below the pool's size in `SimulatorSettings`.
    package func contact(_ index: Int) -> SimContact {
        state.withLock { $0.generator.pools }.contact(index)
    }
    package func company(_ index: Int) -> SimCompany {
        state.withLock { $0.generator.pools }.company(index)
    }
    package func user(_ index: Int) -> SimUser { state.withLock { $0.generator.pools }.user(index) }
    package func tag(_ index: Int) -> SimTag { state.withLock { $0.generator.pools }.tag(index) }

    /// A well-formed id that follows from the seed; different numbers give different ids.
    package func id(_ number: Int) -> String {
        let seed = state.withLock { $0.seed }
        return Identifier.make(
            "ngmt_", SplitMix64.mixed(seed) &+ UInt64(number) &* 0x9E37_79B9_7F4A_7C15)
    }
}
