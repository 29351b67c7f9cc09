import AsyncHTTPClient
import NIOCore
import NIOSSL

extension Client {
    package struct Configuration: Sendable {
        /// 32 MB, design section 6.
        package static let defaultMaxBodyBytes = 32 * 1024 * 1024

        package var baseURL: BaseURL
        package var userAgent: String
        /// From sending a request to the last byte of its answer.
        package var requestTimeout: Duration = .seconds(30)
        /// For name, connection and TLS. Within it, connecting is tried again.
        package var connectTimeout: Duration = .seconds(10)
        /// The most bytes of an unpacked body.
        package var maxBodyBytes = defaultMaxBodyBytes
        /// A file of certificate authorities (PEM) to trust instead of the system's.
        package var certificateFile: String?
        /// How many requests may run at a time, hence how many connections are kept.
        package var concurrency = 64

        package init(baseURL: BaseURL, userAgent: String) {
            self.baseURL = baseURL
            self.userAgent = userAgent
        }
    }
}

extension HTTPClient.Configuration {
    /// Connections that send the credential to the configured host and nowhere else, and that hold to the limits.
    init(_ configuration: Client.Configuration) {
        var tls = TLSConfiguration.makeClientConfiguration()
        // The library would still speak TLS 1.0.
        tls.minimumTLSVersion = .tlsv12
        if let file = configuration.certificateFile { tls.trustRoots = .file(file) }
        var pool = ConnectionPool(
            // Shorter than the common load balancers', so that they rarely close a connection just as it is used.
            idleTimeout: .seconds(30),
            concurrentHTTP1ConnectionsPerHostSoftLimit: configuration.concurrency
        )
        // The library would try again for a whole time-out, with pauses of up to a minute: when to try is the worker's to say.
        pool.retryConnectionEstablishment = false
        self.init(
            tlsConfiguration: tls,
            redirectConfiguration: .disallow,
            timeout: Timeout(connect: TimeAmount(min(configuration.connectTimeout, configuration.requestTimeout))),
            connectionPool: pool,
            decompression: .disabled
        )
        httpVersion = .http1Only
    }
}
