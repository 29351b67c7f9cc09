import Foundation
import Glibc
import Synchronization

/// A real nginx on loopback in front of the simulator, of a test's own: TLS as the world does it, and an access log.
package final class Nginx: Sendable {
    private static let counter = Counter()
    /// Stays the same over restarts.
    package let port: UInt16
    private let folder: String
    private let target: UInt16
    private let process = Mutex<ChildProcess?>(nil)

    /// Makes one, not started yet, runs the test, and ends it whatever becomes of that.
    ///
    /// - Parameter target: the port that it passes requests on to.
    package static func run(to target: UInt16, _ test: (Nginx) async throws -> Void) async throws {
        let nginx = try Nginx(to: target)
        let result: Result<Void, any Error>
        do { result = .success(try await test(nginx)) } catch { result = .failure(error) }
        try? await nginx.stop()
        try result.get()
    }

    private init(to target: UInt16) throws {
        port = Loopback.unusedPort(in: 10_000..<20_000)
        folder = TestCluster.folder + "/nginx-\(getpid())-\(Self.counter.next())"
        self.target = target
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    /// Starts it, or starts it anew.
    ///
    /// - Parameters:
    ///   - certificate: what it shows; nil: it speaks no TLS at all.
    ///   - protocols: nginx's `ssl_protocols`.
    package func start(_ certificate: TestCertificate?, protocols: String = "TLSv1.2 TLSv1.3") async throws {
        try await stop()
        let tls = certificate.map { certificate in
            """
            ssl_certificate \(certificate.certificateFile);
            ssl_certificate_key \(certificate.keyFile);
            ssl_protocols \(protocols);
            ssl_ciphers DEFAULT:@SECLEVEL=0;
            """
        }
        try """
        daemon off;
        master_process off;
        pid \(folder)/pid;
        error_log \(folder)/error.log info;
        events {}
        http {
            log_format all '$request [$http_authorization]';
            access_log \(folder)/access.log all;
            client_body_temp_path \(folder)/body;
            proxy_temp_path \(folder)/proxy;
            fastcgi_temp_path \(folder)/fastcgi;
            uwsgi_temp_path \(folder)/uwsgi;
            scgi_temp_path \(folder)/scgi;
            server {
                listen 127.0.0.1:\(port)\(tls == nil ? "" : " ssl");
                \(tls ?? "")
                location / { proxy_pass http://127.0.0.1:\(target); }
            }
        }
        """.write(toFile: folder + "/conf", atomically: false, encoding: .utf8)
        let started = try ChildProcess(
            "/usr/sbin/nginx", ["-e", folder + "/error.log", "-c", folder + "/conf"], errors: .nothing)
        process.withLock { $0 = started }
        try await eventually("nginx serves:\n\(errors)") {
            guard let socket = Loopback.connect(self.port) else { return false }
            close(socket)
            return true
        }
    }

    private func stop() async throws {
        guard let running = process.withLock(\.self) else { return }
        running.signal(SIGKILL)
        try await eventually("nginx ends") { !running.isRunning }
    }

    /// One line a request: what was asked, and the credential in brackets.
    package var requests: String { (try? String(contentsOfFile: folder + "/access.log", encoding: .utf8)) ?? "" }
    /// What went wrong with connections.
    package var errors: String { (try? String(contentsOfFile: folder + "/error.log", encoding: .utf8)) ?? "" }
}
