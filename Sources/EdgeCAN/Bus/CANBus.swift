internal import EdgePlatform

/// What is heard on a bus.
public enum CANEvent: Sendable {
    /// A frame that another control unit sent.
    case frame(TimedCANFrame)
    /// The bus does not work. It may again: then frames follow.
    case failed(CANError)
    /// Nothing will follow.
    case closed
}

/// A CAN bus: an interface of the system, a simulation, or a log that is played.
///
/// A bus has its own time. On an interface it passes by itself; in a simulation it passes while somebody waits, so that ten seconds of
/// driving take no more than their computing.
public protocol CANBus: Sendable {
    /// The time of the bus.
    var now: Duration { get }

    /// Calls a closure for everything that happens from now on, in order, one call at a time, until the subscription is cancelled or
    /// released. The closure must return soon, and may not wait. Frames that are sent with `send` are not among them.
    func subscribe(_ listener: @escaping @Sendable (CANEvent) -> Void) -> CANSubscription

    /// Sends a frame.
    ///
    /// - Throws: `CANError`.
    func send(_ frame: CANFrame) async throws

    /// Returns when the time of the bus is `time`, or has passed it.
    ///
    /// - Throws: `CANError`, `CancellationError`.
    func wait(until time: Duration) async throws
}

/// Somebody who listens to a bus, until this is released.
public final class CANSubscription: Sendable {
    private let end: @Sendable () -> Void

    /// A subscription that `end` ends. It may be called more than once.
    public init(end: @escaping @Sendable () -> Void) { self.end = end }

    deinit { end() }

    /// Ends it now.
    public func cancel() { end() }
}

/// The listeners of a bus.
public final class CANListeners: Sendable {
    private struct State {
        var listeners: [(number: Int, body: @Sendable (CANEvent) -> Void)] = []
        var next = 0
    }

    private let state = Lock(State())

    /// No listeners.
    public init() {}

    /// Adds one.
    public func add(_ listener: @escaping @Sendable (CANEvent) -> Void) -> CANSubscription {
        let number = state.withLock { state in
            state.listeners.append((state.next, listener))
            state.next += 1
            return state.next - 1
        }
        return CANSubscription { [weak self] in
            self?.state.withLock { state in state.listeners.removeAll { $0.number == number } }
        }
    }

    /// Tells all, in the order in which they came.
    public func tell(_ event: CANEvent) {
        for listener in state.withLock({ $0.listeners }) { listener.body(event) }
    }
}

extension CANBus {
    /// The frames from now on.
    ///
    /// In a simulation they come while somebody waits for a time with `wait(until:)`.
    ///
    /// - Parameter limit: how many frames may be ahead of the reader.
    /// - Returns: the frames; it fails with what fails the bus, and with `.overrun` where the reader is too slow.
    public func frames(ahead limit: Int = 4096) -> AsyncThrowingStream<TimedCANFrame, any Error> {
        AsyncThrowingStream(bufferingPolicy: .bufferingOldest(max(1, limit))) { continuation in
            let subscription = subscribe { event in
                switch event {
                case .frame(let frame):
                    if case .dropped = continuation.yield(frame) {
                        continuation.finish(
                            throwing: CANError(.overrun, "the reader is more than \(limit) frames behind the bus"))
                    }
                case .failed(let error): continuation.finish(throwing: error)
                case .closed: continuation.finish()
                }
            }
            continuation.onTermination = { _ in subscription.cancel() }
        }
    }
}

/// Keeps the frames with some identifiers until they are asked for.
public final class CANInbox: Sendable {
    private struct State {
        var frames: [TimedCANFrame] = []
        var error: CANError?
    }

    /// The most frames that are kept.
    public static let limit = 1 << 16

    private let state: SharedState
    private let subscription: CANSubscription

    /// The lock by itself, so that the listener does not keep the inbox.
    private final class SharedState: Sendable {
        let lock = Lock(State())
    }

    /// Listens to a bus from now on.
    public init(_ bus: some CANBus, where isWanted: @escaping @Sendable (CANIdentifier) -> Bool) {
        let state = SharedState()
        self.state = state
        subscription = bus.subscribe { event in
            switch event {
            case .frame(let frame):
                guard isWanted(frame.frame.id) else { return }
                state.lock.withLock { state in
                    if state.frames.count < CANInbox.limit {
                        state.frames.append(frame)
                    } else {
                        state.error = CANError(
                            .overrun, "more than \(CANInbox.limit) frames came before they were read")
                    }
                }
            case .failed(let error): state.lock.withLock { $0.error = $0.error ?? error }
            case .closed: state.lock.withLock { $0.error = $0.error ?? CANError(.closed, "the bus was closed") }
            }
        }
    }

    /// The frames since the last call, oldest first.
    ///
    /// - Throws: `CANError` that the bus failed with since then; the frames before are lost with it.
    public func take() throws(CANError) -> [TimedCANFrame] {
        let taken = state.lock.withLock { state in
            defer { state = State() }
            return state
        }
        if let error = taken.error { throw error }
        return taken.frames
    }
}

/// The last frame of each of several slots: one for everything that somebody wants to know the last of.
public final class CANLatestFrames: Sendable {
    private struct State {
        var frames: [Int: TimedCANFrame] = [:]
        var error: CANError?
    }

    private final class SharedState: Sendable {
        let lock = Lock(State())
    }

    private let state: SharedState
    private let subscription: CANSubscription

    /// Listens to a bus from now on.
    ///
    /// - Parameter slots: the slots whose last frame a frame is. What is no frame of its kind can be kept out here.
    public init(_ bus: some CANBus, slots: @escaping @Sendable (CANFrame) -> [Int]) {
        let state = SharedState()
        self.state = state
        subscription = bus.subscribe { event in
            switch event {
            case .frame(let frame):
                let slots = slots(frame.frame)
                state.lock.withLock { state in
                    // Any frame shows that the bus works.
                    state.error = nil
                    for slot in slots { state.frames[slot] = frame }
                }
            case .failed(let error): state.lock.withLock { $0.error = error }
            case .closed: state.lock.withLock { $0.error = CANError(.closed, "the bus was closed") }
            }
        }
    }

    /// The last frame of a slot, since the listening began.
    public func frame(_ slot: Int) -> TimedCANFrame? { state.lock.withLock { $0.frames[slot] } }

    /// What the bus failed with, if no frame came since.
    public var error: CANError? { state.lock.withLock { $0.error } }
}
