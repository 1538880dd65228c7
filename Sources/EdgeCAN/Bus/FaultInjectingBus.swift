internal import EdgePlatform

/// Something that goes wrong on a bus.
public enum CANFault: Sendable, Hashable {
    /// The frames that a fault is about.
    public enum Frames: Sendable, Hashable {
        /// All of them.
        case all
        /// Those with these identifiers.
        case with(Set<CANIdentifier>)

        func contains(_ id: CANIdentifier) -> Bool {
            switch self {
            case .all: true
            case .with(let ids): ids.contains(id)
            }
        }
    }

    /// Frames do not arrive.
    case silence(Frames)
    /// The controller has left the bus: nothing arrives, and nothing can be sent.
    case busOff
    /// Sending and waiting fail with `.timedOut`.
    case timeOut
    /// Sending and waiting do not return, whoever cancels them, as long as the fault is there.
    case hang
    /// Sending and waiting fail with an error that is no `CANError`.
    case exception(String)
    /// All bytes of frames have this value: values that cannot be.
    case filled(Frames, with: UInt8)
    /// Frames have no more than so many bytes.
    case truncated(Frames, to: Int)
    /// Frames ask for data instead of having some.
    case remote(Frames)
    /// The bytes of frames are random, the same for the same seed and time.
    case noise(Frames, seed: UInt64)
}

/// An error that no bus has, of `CANFault.exception`.
public struct InjectedFailure: Error, Sendable, CustomStringConvertible {
    /// The text of the fault.
    public let description: String
}

/// A bus on which things go wrong, for tests of what uses one.
public final class FaultInjectingBus: CANBus {
    private let bus: any CANBus
    private let state: SharedState

    private final class SharedState: Sendable {
        let faults: Lock<[CANFault]>
        init(_ faults: [CANFault]) { self.faults = Lock(faults) }
    }

    /// A bus with faults.
    public init(_ bus: any CANBus, faults: [CANFault] = []) {
        self.bus = bus
        state = SharedState(faults)
    }

    /// What goes wrong from now on; frames that have arrived stay.
    public var faults: [CANFault] {
        get { state.faults.withLock { $0 } }
        set { state.faults.withLock { $0 = newValue } }
    }

    /// The time of the bus.
    public var now: Duration { bus.now }

    /// Calls a closure for everything that happens from now on.
    public func subscribe(_ listener: @escaping @Sendable (CANEvent) -> Void) -> CANSubscription {
        bus.subscribe { [state] event in
            guard case .frame(let frame) = event else { return listener(event) }
            let faults = state.faults.withLock { $0 }
            if faults.contains(.busOff) { return listener(.failed(.busOff)) }
            if let changed = Self.changed(frame, faults) { listener(.frame(changed)) }
        }
    }

    /// Sends a frame.
    ///
    /// - Throws: `CANError`, or what the faults say.
    public func send(_ frame: CANFrame) async throws {
        try await failIfFaulty(sending: true)
        try await bus.send(frame)
    }

    /// Waits for a time of the bus.
    ///
    /// - Throws: `CANError`, or what the faults say, `CancellationError`.
    public func wait(until time: Duration) async throws {
        try await failIfFaulty(sending: false)
        try await bus.wait(until: time)
    }

    private func failIfFaulty(sending: Bool) async throws {
        for fault in faults {
            switch fault {
            case .busOff where sending: throw CANError.busOff
            case .timeOut: throw CANError(.timedOut, "timed out")
            case .exception(let text): throw InjectedFailure(description: text)
            case .hang:
                // A task of its own, which the cancelling of the caller does not reach.
                while faults.contains(.hang) {
                    await Task.detached { try? await Task.sleep(for: .milliseconds(20)) }.value
                }
            default: break
            }
        }
    }

    /// What arrives of a frame; nil for nothing.
    private static func changed(_ timed: TimedCANFrame, _ faults: [CANFault]) -> TimedCANFrame? {
        var frame = timed.frame
        for fault in faults {
            var data = frame.data
            switch fault {
            case .silence(let frames) where frames.contains(frame.id): return nil
            case .filled(let frames, let value) where frames.contains(frame.id):
                data = Array(repeating: value, count: data.count)
            case .truncated(let frames, let count) where frames.contains(frame.id):
                data = Array(data.prefix(max(0, count)))
            case .noise(let frames, let seed) where frames.contains(frame.id):
                var generator = SplitMix64(
                    seed: seed ^ UInt64(truncatingIfNeeded: timed.time.components.attoseconds) ^ UInt64(frame.id.value))
                data = data.map { _ in UInt8(truncatingIfNeeded: generator.next() >> 56) }
            case .remote(let frames) where frames.contains(frame.id):
                guard
                    let remote = try? CANFrame(frame.id, data: [], format: .remote(length: min(8, frame.data.count)))
                else { return nil }
                frame = remote
                continue
            default: continue
            }
            guard let changed = try? CANFrame(frame.id, data: data, format: frame.format) else { return nil }
            frame = changed
        }
        return TimedCANFrame(time: timed.time, frame: frame)
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): a generator for simulations, the same on every machine.
public struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// The generator of a seed.
    public init(seed: UInt64) { state = seed }

    /// The next 64 bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
        return bits ^ bits >> 31
    }

    /// A number from 0 up to 1.
    public mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }
}
