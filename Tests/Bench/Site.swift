import Foundation
import Glibc
import TestKit

/// nginx with one worker process, which serves files at once, or each after a fixed time.
final class Site {
    let port: UInt16
    private let process: ChildProcess

    /// - Parameters:
    ///   - documents: the folder with a file for each id.
    ///   - folder: for its own files.
    init(documents: String, folder: String, latency: Duration = .zero) async throws {
        port = Loopback.unusedPort(in: 10_000..<20_000)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let module = "/usr/lib/nginx/modules/ngx_http_echo_module.so"
        let file = "rewrite ^/v2/engagements/(ngmt_[A-Za-z0-9]+)$ /$1 break; root \(documents);"
        let seconds = latency / .seconds(1)
        let answer =
            latency > .zero
            ? """
            location /v2/engagements/ { echo_sleep \(seconds); echo_exec @file; }
            location @file { \(file) }
            """ : "location /v2/engagements/ { \(file) }"
        try """
        daemon off;
        master_process off;
        \(latency > .zero ? "load_module \(module);" : "")
        pid \(folder)/pid;
        error_log \(folder)/error.log error;
        worker_rlimit_nofile 65536;
        events { worker_connections 4096; }
        http {
            access_log off;
            default_type application/json;
            keepalive_requests 1000000000;
            keepalive_timeout 600s;
            open_file_cache max=50000 inactive=600s;
            open_file_cache_valid 600s;
            client_body_temp_path \(folder)/body;
            proxy_temp_path \(folder)/proxy;
            fastcgi_temp_path \(folder)/fastcgi;
            uwsgi_temp_path \(folder)/uwsgi;
            scgi_temp_path \(folder)/scgi;
            server {
                listen 127.0.0.1:\(port) backlog=4096;
                location = /v2/engagements { return 200 '{"data":[]}'; }
                \(answer)
            }
        }
        """.write(toFile: folder + "/conf", atomically: false, encoding: .utf8)
        process = try ChildProcess(
            "/usr/sbin/nginx", ["-e", folder + "/error.log", "-c", folder + "/conf"], errors: .nothing)
        let port = port
        try await eventually("nginx serves") {
            guard let socket = Loopback.connect(port) else { return false }
            close(socket)
            return true
        }
    }

    var url: String { "http://127.0.0.1:\(port)" }
    var cpu: Double { ProcessTimes.cpu(of: process.processIdentifier) }

    func stop() { process.signal(SIGKILL) }
}
