import EdgeCAN
import EdgeSocketCAN
import Foundation
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A node that sends a frame every so often.
private struct Beacon: CANNode {
    let id: CANIdentifier
    let period: Duration
    var nextTime: Duration?
    var heard: UInt8 = 0

    init(_ id: UInt16, every period: Duration) {
        self.id = .standard(id)
        self.period = period
        nextTime = period
    }

    mutating func act(at time: Duration) -> [CANFrame] {
        nextTime = time + period
        return (try? CANFrame(id, data: [heard])).map { [$0] } ?? []
    }

    mutating func receive(_ frame: TimedCANFrame) { heard &+= 1 }
}

@Suite("Frames and buses") struct BusTests {
    @Test("Frames have the lengths of their format, and identifiers their bits")
    func frames() throws {
        for count in 0...70 {
            let data = [UInt8](repeating: 1, count: count)
            let (id, fd) = (
                CANIdentifier.standard(1), CANFrame.Format.fd(switchesBitRate: false, senderIsPassive: false)
            )
            #expect((try? CANFrame(id, data: data)) != nil || count > 8)
            #expect((try? CANFrame(id, data: data)) == nil || count <= 8)
            let isLength = count <= 8 || [12, 16, 20, 24, 32, 48, 64].contains(count)
            #expect(((try? CANFrame(id, data: data, format: fd)) != nil) == isLength)
            #expect(((try? CANFrame(id, data: [], format: .remote(length: count))) != nil) == (count <= 8))
        }
        #expect(CANIdentifier(standard: 0x7FF) != nil && CANIdentifier(standard: 0x800) == nil)
        #expect(CANIdentifier(extended: 0x1FFF_FFFF) != nil && CANIdentifier(extended: 0x2000_0000) == nil)
        let short = try #require(CANIdentifier(standard: 0x123))
        let long = try #require(CANIdentifier(extended: 0x123 << 18))
        #expect(short < long && CANIdentifier.standard(0x122) < short && long < .standard(0x124))
        #expect("\(short) \(long)" == "123 048C0000")
    }

    @Test("A simulated bus runs in the order of time and arbitration, and its nodes hear each other")
    func virtualBus() async throws {
        let bus = VirtualBus(nodes: [Beacon(0x200, every: .milliseconds(10)), Beacon(0x100, every: .milliseconds(20))])
        let inbox = CANInbox(bus) { _ in true }
        try await bus.wait(until: .milliseconds(20))
        #expect(bus.now == .milliseconds(20))
        let lines = try inbox.take().map { CANLog.line($0) }
        #expect(lines == ["(0.010000) can0 200#00", "(0.020000) can0 100#01", "(0.020000) can0 200#00"])
        try await bus.send(CANFrame(.standard(1), data: []))
        try await bus.wait(until: .milliseconds(30))
        #expect(try inbox.take().map(\.frame.data) == [[2]])
        // Waiting for what has been moves nothing.
        try await bus.wait(until: .milliseconds(5))
        #expect(bus.now == .milliseconds(30))
        await bus.close()
        #expect(throws: CANError.self) { try inbox.take() }
        await #expect(throws: CANError.self) { try await bus.send(CANFrame(.standard(1), data: [])) }
    }

    @Test("A node that does not let time pass is an error")
    func standstill() async throws {
        struct Stuck: CANNode {
            var nextTime: Duration? { .zero }
            mutating func act(at time: Duration) -> [CANFrame] { [] }
            mutating func receive(_ frame: TimedCANFrame) {}
        }
        let bus = VirtualBus(nodes: [Stuck()])
        await #expect(throws: CANError.self) { try await bus.wait(until: .seconds(1)) }
    }

    @Test("Frames as a sequence, which tells a reader that is too slow")
    func sequence() async throws {
        let bus = VirtualBus(nodes: [Beacon(0x200, every: .milliseconds(10))])
        let frames = bus.frames(ahead: 5)
        try await bus.wait(until: .milliseconds(45))
        await bus.close()
        var count = 0
        for try await _ in frames { count += 1 }
        #expect(count == 4)

        let other = VirtualBus(nodes: [Beacon(0x200, every: .milliseconds(10))])
        let slow = other.frames(ahead: 5)
        try await other.wait(until: .milliseconds(100))
        var seen = 0
        let error = await #expect(throws: CANError.self) { for try await _ in slow { seen += 1 } }
        #expect(seen == 5 && error?.code == .overrun)
    }

    @Test("Logs are written as they are read")
    func logs() async throws {
        let text = """
            (1579857014.345944) can2 486#82967A6B006B07F8
            (1579857014.345944) can2 00000486##1A0FFE00606E0224000000000
            (1579857014.400000) can2 14C##2A0FFE00606E022400000AA
            (1579857015.000001) vcan0 486#R8
            (1579857015.000002) vcan0 486#R
            (1579857016.000003) vcan0 1FFFFFFF#
            """
        // A length that FD does not have: 11 bytes.
        #expect(throws: CANError.self) { try CANLog.read(text) }
        let lines = text.split(separator: "\n").map(String.init).filter { !$0.contains("14C##") }.map {
            $0.replacing("A0FFE00606E0224000000000", with: "A0FFE00606E022400000000A")
        }
        let entries = try CANLog.read(lines.joined(separator: "\r\n") + "\n\n(1.5) can0 20000004#0000000000000000\n")
        #expect(entries.count == 5)
        #expect(entries.map { CANLog.line(.init(time: $0.time, frame: $0.frame), bus: $0.bus) } == lines)
        #expect(entries[1].frame.data.count == 12 && entries[1].frame.id.isExtended)

        let bus = VirtualBus(nodes: [CANLogPlayer(entries, bus: "can2")])
        let inbox = CANInbox(bus) { _ in true }
        try await bus.wait(until: .seconds(10))
        #expect(try inbox.take().map(\.time) == [.zero, .zero])

        let bad = [
            "x", "(1.0) can0", "(1.0) can0 123", "(a) can0 123#", "(1.0) can0 800#00", "(1.0) can0 123#0",
            "(1.0) can0 123#0G", "(1.0) can0 123#000000000000000000", "(1.0) can0 123#R9", "(1.0) can0 #00",
            "(-1.0) can0 123#00", "(1.0) can0 123## ", "(1.0) can0 123#00 X", "(99999999999999999999.0) can0 123#00",
        ]
        for line in bad {
            let error = #expect(throws: CANError.self, "\(line)") { try CANLog.read("\n" + line) }
            #expect(error?.code == .malformedLog && error?.message.hasPrefix("line 2: ") == true)
        }
    }

    @Test("Messages of every length cross in both directions, in blocks and apart")
    func isoTP() throws {
        for (blockSize, separation) in [(0, 0), (1, 0), (3, 2), (0, 5)] as [(UInt8, UInt8)] {
            var settings = ISOTPEndpoint.Settings()
            settings.blockSize = blockSize
            settings.separation = separation
            for count in [1, 2, 6, 7, 8, 13, 14, 20, 100, 4095] {
                var one = ISOTPEndpoint(sendID: .standard(1), receiveID: .standard(2), settings: settings)
                var two = ISOTPEndpoint(sendID: .standard(2), receiveID: .standard(1), settings: settings)
                let message = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
                var time = Duration.zero
                var frames = try one.send(message, at: time)
                var arrived: [UInt8]?
                var rounds = 0
                while arrived == nil, rounds < 10_000 {
                    rounds += 1
                    var back: [CANFrame] = []
                    for frame in frames {
                        #expect(frame.data.count == 8)
                        let (answer, message) = try two.receive(frame, at: time)
                        back += answer
                        arrived = arrived ?? message
                    }
                    for frame in back { #expect(try one.receive(frame, at: time).frames.isEmpty) }
                    if let next = one.nextTime { time = max(time, min(next, time + .milliseconds(5))) }
                    frames = try one.act(at: time)
                }
                #expect(arrived == message && !one.isBusy && !two.isBusy)
                // Frames that are to be kept apart take their time.
                if count == 100, separation > 0, blockSize == 0 { #expect(time >= .milliseconds(5 * 12)) }
            }
        }
    }

    @Test("Broken conversations are errors, and the next one works")
    func brokenISOTP() throws {
        func frame(_ bytes: [UInt8]) throws -> CANFrame { try CANFrame(.standard(1), data: bytes) }
        var end = ISOTPEndpoint(sendID: .standard(2), receiveID: .standard(1))
        #expect(throws: CANError.self) { try end.send([], at: .zero) }
        #expect(throws: CANError.self) { try end.send([UInt8](repeating: 0, count: 4096), at: .zero) }
        for bytes in [[0x00], [0x08, 1], [0x03, 1, 2], [0x10, 20, 1], [0x10, 5, 1, 2, 3, 4, 5, 6], [0x40], [0xF0]]
            as [[UInt8]]
        {
            #expect(throws: CANError.self, "\(bytes)") { try end.receive(frame(bytes), at: .zero) }
        }
        // A length of 32 bits is refused politely.
        #expect(try end.receive(frame([0x10, 0, 0, 0, 0x20, 0, 1, 2]), at: .zero).frames.first?.data.first == 0x32)
        // A frame is missing.
        _ = try end.receive(frame([0x10, 20, 1, 2, 3, 4, 5, 6]), at: .zero)
        _ = try end.receive(frame([0x21, 1, 2, 3, 4, 5, 6, 7]), at: .zero)
        #expect(throws: CANError.self) { try end.receive(frame([0x23, 1, 2, 3, 4, 5, 6, 7]), at: .zero) }
        #expect(!end.isBusy)
        // The rest does not come.
        _ = try end.receive(frame([0x10, 20, 1, 2, 3, 4, 5, 6]), at: .zero)
        #expect(end.nextTime == .seconds(1))
        #expect(throws: CANError(.timedOut, "the rest of a message did not come")) { try end.act(at: .seconds(1)) }
        // Nobody asks for the rest.
        _ = try end.send([UInt8](repeating: 1, count: 20), at: .zero)
        #expect(throws: CANError.self) { try end.act(at: .seconds(1)) }
        // The other end does not take it.
        _ = try end.send([UInt8](repeating: 1, count: 20), at: .zero)
        #expect(throws: CANError.self) { try end.receive(frame([0x32, 0, 0]), at: .zero) }
        #expect(try end.receive(frame([0x02, 9, 8]), at: .zero).message == [9, 8])
    }

    @Test("Random frames never break the protocol's ends")
    func randomISOTP() throws {
        var generator = SplitMix64(seed: 3)
        var end = ISOTPEndpoint(sendID: .standard(2), receiveID: .standard(1))
        for step in 0..<20_000 {
            let count = Int(generator.next() % 9)
            var bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next() >> 40) }
            if count > 0 { bytes[0] &= 0x3F }
            if let message = try? end.receive(CANFrame(.standard(1), data: bytes), at: .milliseconds(step)).message {
                #expect(message.count <= ISOTPEndpoint.byteLimit)
            }
            if step % 50 == 0 {
                _ = try? end.send([UInt8](repeating: 1, count: 1 + step % 200), at: .milliseconds(step))
            }
            #expect(((try? end.act(at: .milliseconds(step)))?.count ?? 0) <= 1000)
        }
    }
}

@Suite("SocketCAN") struct SocketCANTests {
    private func bus() throws -> (SocketCANBus, Int32) {
        var ends: [Int32] = [0, 0]
        #if os(Linux)
            let kind = Int32(SOCK_SEQPACKET.rawValue)
        #else
            let kind = SOCK_DGRAM
        #endif
        try #require(socketpair(AF_UNIX, kind, 0, &ends) == 0)
        return (try SocketCANBus(descriptor: ends[0]), ends[1])
    }

    @Test("Frames of all formats go out and come in as the kernel has them")
    func roundTrip() async throws {
        let (bus, other) = try bus()
        let frames = [
            try CANFrame(.standard(0x123), data: [1, 2, 3]),
            try CANFrame(#require(CANIdentifier(extended: 0x1ABC_DEF0)), data: Array(0..<8)),
            try CANFrame(.standard(0x7FF), data: [], format: .remote(length: 5)),
            try CANFrame(
                .standard(1), data: Array(0..<64), format: .fd(switchesBitRate: true, senderIsPassive: false)),
            try CANFrame(.standard(2), data: [], format: .fd(switchesBitRate: false, senderIsPassive: true)),
        ]
        var received = bus.frames().makeAsyncIterator()
        for frame in frames {
            try await bus.send(frame)
            var packet = [UInt8](repeating: 0, count: 100)
            let count = read(other, &packet, 100)
            if case .fd = frame.format { #expect(count == 72) } else { #expect(count == 16) }
            let word = packet.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
            #expect(word & 0x1FFF_FFFF == frame.id.value && (word >> 31 == 1) == frame.id.isExtended)
            // What went out comes back in.
            #expect(write(other, packet, count) == count)
            #expect(try await received.next()?.frame == frame)
        }
        // What is no frame is left out; a bus that is off fails the stream.
        #expect(write(other, [UInt8](repeating: 255, count: 16), 16) == 16)
        #expect(write(other, [1, 2, 3], 3) == 3)
        var off = [UInt8](repeating: 0, count: 16)
        off.withUnsafeMutableBytes { $0.storeBytes(of: 0x2000_0040, as: UInt32.self) }
        #expect(write(other, off, 16) == 16)
        let error = await #expect(throws: CANError.self) { try await received.next() }
        #expect(error == .busOff)
        bus.close()
        close(other)
    }

    @Test("A bus ends where its other end does, and when it is closed")
    func closing() async throws {
        let (first, other) = try bus()
        var frames = first.frames().makeAsyncIterator()
        close(other)
        #expect(try await frames.next() == nil)
        let (second, otherSecond) = try bus()
        var more = second.frames().makeAsyncIterator()
        second.close()
        #expect(try await more.next() == nil)
        close(otherSecond)
    }

    @Test("A full queue is waited for, and given up")
    func fullQueue() async throws {
        let (bus, other) = try bus()
        let frame = try CANFrame(.standard(1), data: [1])
        let error = await #expect(throws: CANError.self) { while true { try await bus.send(frame) } }
        #expect(error?.code == .timedOut)
        bus.close()
        close(other)
    }

    @Test("An interface that is not there, or a system without CAN, is an error that says so")
    func absent() {
        for name in ["edgecan9", "", "a name that is much too long", "a\0b"] {
            let error = #expect(throws: CANError.self) { try SocketCANBus(name) }
            #expect(error?.code == .noInterface || error?.code == .unsupported, "\(String(describing: error))")
        }
    }

    private static let hasInterface = (try? SocketCANBus("vcan0")) != nil

    @Test("Two sockets on vcan0 hear each other", .enabled(if: hasInterface, "needs vcan0"))
    func interface() async throws {
        let (one, two) = (try SocketCANBus("vcan0"), try SocketCANBus("vcan0"))
        var frames = two.frames().makeAsyncIterator()
        let frame = try CANFrame(.standard(0x123), data: [1, 2, 3])
        try await one.send(frame)
        #expect(try await frames.next()?.frame == frame)
    }
}
