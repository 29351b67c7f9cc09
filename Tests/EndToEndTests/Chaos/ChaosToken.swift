import Foundation
import Glibc
import Simulator
import Synchronization
import TestKit

/// The token that all workers read from one file, and those that were good before it.
final class ChaosToken: Sendable {
    let path = TestCluster.folder + "/chaos-token-\(UInt64.random(in: 0 ... .max))"
    private let world: World
    private let tokens: Mutex<[String]>

    init(_ world: World) {
        self.world = world
        tokens = Mutex([Simulator.demoToken])
        // Without the private scope: a private engagement is refused.
        world.setToken(Simulator.demoToken, scopes: Set(ChaosStage.scopes))
        write(Simulator.demoToken)
    }

    /// None of these may stand in any log.
    var all: [String] { tokens.withLock(\.self) }

    /// The next token is the only one that is good, with the same scopes; the file has it a little later.
    func replace(after pause: Duration) async {
        let (old, new) = tokens.withLock { tokens in
            let old = tokens.last!
            tokens.append("chaos-token-\(tokens.count)-\(UInt64.random(in: 0 ... .max))")
            return (old, tokens.last!)
        }
        world.replaceToken(old, with: new)
        try? await Task.sleep(for: pause)
        write(new)
    }

    /// The way in which the file of a secret is replaced: at once or not at all.
    private func write(_ token: String) {
        try! Data((token + "\n").utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
        chmod(path, 0o600)
    }
}
