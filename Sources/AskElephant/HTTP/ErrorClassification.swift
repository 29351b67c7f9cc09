import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What a request that threw means. By type and case only; no message is matched and no value kept.
extension TransportFailure {
    init(_ error: any Error) {
        switch error {
        case is CancellationError: self = .cancelled
        case let error as HTTPClientError: self.init(error)
        case let error as NIOConnectionError: self.init(error)
        case is SocketAddressError: self = .dns
        case let error as ChannelError: self.init(error)
        case let error as IOError: self.init(error)
        case let error as HTTPParserError: self.init(error)
        case NIOSSLError.uncleanShutdown: self = .reset
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError: self = .tls
        default: self = .other(String(describing: type(of: error)))
        }
    }

    private init(_ error: HTTPClientError) {
        switch error {
        case .cancelled, .alreadyShutdown: self = .cancelled
        case .deadlineExceeded, .readTimeout, .writeTimeout: self = .timeout
        case .connectTimeout, .getConnectionFromPoolTimeout: self = .connect
        case .tlsHandshakeTimeout: self = .tls
        case .remoteConnectionClosed, .uncleanShutdown, .bodyLengthMismatch: self = .reset
        default: self = .other(error.shortDescription)
        }
    }

    private init(_ error: ChannelError) {
        switch error {
        case .connectTimeout, .connectPending: self = .connect
        default: self = .reset
        }
    }

    private init(_ error: NIOConnectionError) {
        let ours = error.connectionErrors.compactMap { ($0.error as? IOError).map { Self($0) } }
        if ours.contains(.noMemory) {
            self = .noMemory
        } else {
            self = error.connectionErrors.isEmpty ? .dns : .connect
        }
    }

    private init(_ error: IOError) {
        switch error.errnoCode {
        // This process or host has no more to give: descriptors, buffers.
        case EMFILE, ENFILE, ENOBUFS, ENOMEM: self = .noMemory
        case ECONNRESET, EPIPE, ECONNABORTED: self = .reset
        case ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ENETDOWN, EADDRNOTAVAIL: self = .connect
        case ETIMEDOUT: self = .timeout
        default: self = .other("errno \(error.errnoCode)")
        }
    }

    private init(_ error: HTTPParserError) {
        switch error {
        case .invalidEOFState, .closedConnection, .invalidContentLength, .unexpectedContentLength: self = .reset
        default: self = .other("HTTP: \(error)")
        }
    }
}
