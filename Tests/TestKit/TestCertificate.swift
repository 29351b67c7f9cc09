import Foundation
import Glibc

/// A certificate for `localhost` and its key, made by openssl.
package struct TestCertificate: Sendable {
    package let certificateFile: String
    package let keyFile: String
    private static let counter = Counter()

    private init() {
        let base = TestCluster.folder + "/certificate-\(getpid())-\(Self.counter.next())"
        (certificateFile, keyFile) = (base + ".pem", base + ".key")
    }

    /// Signed by itself: an authority, or somebody who is trusted by nobody.
    package static func selfSigned(name: String = "localhost") async throws -> TestCertificate {
        let made = TestCertificate()
        try await openssl(
            ["req", "-x509", "-days", "1", "-addext", "subjectAltName=DNS:\(name)"] + made.request(name)
                + ["-out", made.certificateFile])
        return made
    }

    /// Signed by this authority.
    ///
    /// - Parameter clock: by which it is valid for a day.
    package func sign(name: String = "localhost", by clock: MovedClock? = nil) async throws -> TestCertificate {
        let made = TestCertificate()
        let (asked, names) = (made.certificateFile + ".csr", made.certificateFile + ".names")
        try "subjectAltName=DNS:\(name)\n".write(toFile: names, atomically: false, encoding: .utf8)
        try await Self.openssl(["req"] + made.request(name) + ["-out", asked])
        try await Self.openssl(
            [
                "x509", "-req", "-in", asked, "-CA", certificateFile, "-CAkey", keyFile, "-CAcreateserial",
                "-days", "1", "-extfile", names, "-out", made.certificateFile,
            ], by: clock)
        return made
    }

    private func request(_ name: String) -> [String] {
        ["-newkey", "rsa:2048", "-nodes", "-keyout", keyFile, "-subj", "/CN=\(name)"]
    }

    private static func openssl(_ arguments: [String], by clock: MovedClock? = nil) async throws {
        let variables = clock?.environment.map { "\($0)=\($1)" } ?? []
        let program = try await Program.run("env", variables + ["openssl"] + arguments)
        guard program.status == 0 else { throw TimedOut(description: "openssl: \(program.errors)") }
    }
}
