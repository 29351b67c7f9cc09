import Glibc
import TestKit
import Testing

/// The proxy itself, between sockets and a server that sends back whatever it gets.
struct FaultProxyTests {
    private func withProxy(_ test: (FaultProxy) async throws -> Void) async throws {
        let server = try EchoServer()
        let proxy = try FaultProxy(to: server.port)
        try await test(proxy)
        proxy.stop()
        server.stop()
    }

    @Test func nothingIsDoneUnasked() async throws {
        try await withProxy { proxy in
            let socket = try TestSocket(proxy.port)
            socket.send("hello")
            #expect(socket.receive(5) == .bytes("hello"))
            #expect(proxy.injections.isEmpty)
        }
    }

    @Test func aBlackholeHoldsBytesBackUntilItEnds() async throws {
        try await withProxy { proxy in
            let socket = try TestSocket(proxy.port)
            socket.send("a")
            #expect(socket.receive(1) == .bytes("a"))
            proxy.set(.blackhole)
            #expect(proxy.injected(.blackhole) == 0, "no byte came yet")
            socket.send("bc")
            #expect(socket.receive(2, within: .milliseconds(200)) == .silence)
            #expect(proxy.injected(.blackhole) == 1)
            proxy.set(.none)
            #expect(socket.receive(2) == .bytes("bc"))
        }
    }

    @Test func aDelayComesOnEachWay() async throws {
        try await withProxy { proxy in
            let socket = try TestSocket(proxy.port)
            proxy.set(.delay(.milliseconds(60)))
            let start = ContinuousClock.now
            socket.send("hello")
            #expect(socket.receive(5) == .bytes("hello"))
            #expect(ContinuousClock.now - start >= .milliseconds(120))
            #expect(proxy.injected(.delay) == 1)
        }
    }

    @Test func aDripIsSlowAndLosesNothing() async throws {
        try await withProxy { proxy in
            let socket = try TestSocket(proxy.port)
            proxy.set(.drip(bytes: 2, every: .milliseconds(20)))
            let start = ContinuousClock.now
            socket.send("0123456789")
            #expect(socket.receive(10) == .bytes("0123456789"))
            #expect(ContinuousClock.now - start >= .milliseconds(80), "five portions")
            #expect(proxy.injected(.drip) == 1)
        }
    }

    @Test func theNextBytesMeetAReset() async throws {
        try await withProxy { proxy in
            let socket = try TestSocket(proxy.port)
            socket.send("a")
            #expect(socket.receive(1) == .bytes("a"))
            proxy.set(.rst)
            #expect(socket.receive(1, within: .milliseconds(100)) == .silence, "it needs bytes")
            socket.send("b")
            #expect(socket.receive(1) == .reset)
            #expect(proxy.injected(.rst) == 1)
        }
    }

    @Test(arguments: [0, 1, 7])
    func anAnswerIsCut(_ bytes: Int) async throws {
        try await withProxy { proxy in
            let socket = try TestSocket(proxy.port)
            socket.send("abc")
            #expect(socket.receive(3) == .bytes("abc"), "not counted: it came before the fault")
            proxy.set(.cutAfter(bytes: bytes))
            socket.send("0123456789")
            if bytes > 0 { #expect(socket.receive(bytes) == .bytes(String("0123456789".prefix(bytes)))) }
            #expect(socket.receive(1) == .closed)
            #expect(proxy.injected(.cutAfter) == 1)
        }
    }

    @Test func onlyTheNextMatchingAnswersAreSwallowed() async throws {
        try await withProxy { proxy in
            let bystander = try TestSocket(proxy.port)
            proxy.swallowReplies(2, to: .containing("write"))
            for round in 1...3 {
                let socket = try TestSocket(proxy.port)
                socket.send("read")
                #expect(socket.receive(4) == .bytes("read"))
                socket.send("write")
                #expect(socket.receive(5) == (round < 3 ? .reset : .bytes("write")))
                #expect(proxy.injected(.swallowReply) == min(round, 2))
            }
            bystander.send("read")
            #expect(bystander.receive(4) == .bytes("read"))
        }
    }

    @Test func aRequestIsAnsweredBeforeItsConnectionGoes() async throws {
        try await withProxy { proxy in
            let end = FaultProxy.Request(matches: { $0.contains(0x3F) }, isAnswered: { $0.last == 0x2E })
            proxy.swallowReplies(to: end)
            let socket = try TestSocket(proxy.port)
            socket.send("?abc")
            #expect(socket.receive(1, within: .milliseconds(100)) == .silence)
            socket.send("def.")
            #expect(socket.receive(1) == .reset)
        }
    }

    @Test func swallowingCanBeStopped() async throws {
        try await withProxy { proxy in
            proxy.swallowReplies(5, to: .containing("write"))
            proxy.stopSwallowing()
            let socket = try TestSocket(proxy.port)
            socket.send("write")
            #expect(socket.receive(5) == .bytes("write"))
            #expect(proxy.injected(.swallowReply) == 0)
        }
    }

    @Test func aRequestIsHeldUntilItIsReleased() async throws {
        try await withProxy { proxy in
            let socket = try TestSocket(proxy.port)
            proxy.holdRequests(.containing("LISTEN"))
            socket.send("read")
            #expect(socket.receive(4) == .bytes("read"))
            socket.send("LISTEN")
            #expect(socket.receive(1, within: .milliseconds(100)) == .silence)
            #expect(proxy.injected(.hold) == 1)
            proxy.releaseRequests()
            #expect(socket.receive(6) == .bytes("LISTEN"))
        }
    }

    @Test func refusingEndsWhatThereIsAndTakesNoMore() async throws {
        try await withProxy { proxy in
            let socket = try TestSocket(proxy.port)
            socket.send("a")
            #expect(socket.receive(1) == .bytes("a"))
            proxy.set(.refuse)
            #expect(socket.receive(1) == .reset)
            let other = try TestSocket(proxy.port)
            #expect(other.receive(1) == .reset)
            #expect(proxy.injected(.refuse) == 2)
            proxy.set(.none)
            let third = try TestSocket(proxy.port)
            third.send("c")
            #expect(third.receive(1) == .bytes("c"))
        }
    }

    @Test func aFlappingLineServesAndRefusesByTurns() async throws {
        try await withProxy { proxy in
            proxy.set(.flap(every: .milliseconds(40)))
            var answers: Set<TestSocket.Answer> = []
            try await eventually("both") {
                let socket = try TestSocket(proxy.port)
                socket.send("x")
                answers.insert(socket.receive(1))
                return answers.contains(.bytes("x")) && answers.contains(.reset)
            }
            try await eventually("refused twice") { proxy.injected(.flap) >= 2 }
            proxy.set(.none)
            let socket = try TestSocket(proxy.port)
            socket.send("y")
            #expect(socket.receive(1) == .bytes("y"))
        }
    }

    @Test func aFaultCanMeetSomeConnectionsOnly() async throws {
        try await withProxy { proxy in
            let (one, other) = (try TestSocket(proxy.port), try TestSocket(proxy.port))
            one.send("one")
            other.send("other")
            #expect(one.receive(3) == .bytes("one"))
            #expect(other.receive(5) == .bytes("other"))
            proxy.set(.blackhole, onConnectionsOpenedWith: "oth")
            one.send("!")
            other.send("!")
            #expect(one.receive(1) == .bytes("!"))
            #expect(other.receive(1, within: .milliseconds(150)) == .silence)
            #expect(proxy.injected(.blackhole) == 1)
        }
    }

    @Test func aStatementIsFoundByItsNameWhereItRuns() {
        let request = FaultProxy.Request.postgres("engagement_ingest")
        let name = Array("engagement_ingest".utf8)
        let bind: [UInt8] = [0x42, 0, 0, 0, 99, 0] + name + [0, 1, 2]
        let parse: [UInt8] = [0x50, 0, 0, 0, 99] + name + [0] + Array("SELECT".utf8)
        #expect(request.matches(bind[...]))
        #expect(!request.matches(parse[...]))
        #expect(!request.isAnswered([0x44, 0, 0, 0, 5, 0x49][...]))
        #expect(request.isAnswered([1, 0x5A, 0, 0, 0, 5, 0x49][...]))
        #expect(!request.isAnswered([0x5A, 0, 0, 0, 5, 0x54][...]), "in a transaction still")
    }
}
