import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypes

/// Sees to it that a request does not take longer than it may, from its first byte to its answer, ends a connection once an answer is
/// written that says it ends, and tells of connections that brought no whole request.
///
/// Silence and slow heads are the server's own matter; a body that comes drop by drop looks alive to it.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let limit: TimeAmount
    private let refused: @Sendable (Listener.Refusal) -> Void
    /// Requests that are not answered yet.
    private var open = 0
    /// The last request has not come to its end.
    private var isReading = false
    /// It was told already why this connection ends.
    private var isOver = false
    private var alarm: Scheduled<Void>?

    init(limit: TimeAmount, refused: @escaping @Sendable (Listener.Refusal) -> Void) {
        self.limit = limit
        self.refused = refused
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            open += 1
            isReading = true
            if alarm == nil { watch(context) }
        case .body: break
        case .end: isReading = false
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head): if head.headerFields[.connection] == "close" { isOver = true }
        case .body: break
        case .end where isOver:
            // What is still being sent is not read to its end; the alarm stays, for who does not read the answer.
            open -= 1
            let written = promise ?? context.eventLoop.makePromise()
            written.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
            return context.writeAndFlush(data, promise: written)
        case .end:
            open -= 1
            alarm?.cancel()
            alarm = nil
            if open > 0 { watch(context) }
        }
        context.write(data, promise: promise)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if error is HTTPParserError {
            if !isOver { refused(.garbage) }
            isOver = true
        }
        context.fireErrorCaught(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        alarm?.cancel()
        if isReading, open > 0, !isOver { refused(.incomplete) }
        context.fireChannelInactive()
    }

    private func watch(_ context: ChannelHandlerContext) {
        alarm = context.eventLoop.assumeIsolated().scheduleTask(in: limit) { context.close(promise: nil) }
    }
}
