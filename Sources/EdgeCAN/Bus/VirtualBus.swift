internal import EdgePlatform

/// A control unit of a simulated bus.
///
/// All it does is a function of its state, the time and the frames it gets: the same simulation gives the same frames.
public protocol CANNode: Sendable {
    /// When it next does something by itself; nil for never.
    var nextTime: Duration? { get }
    /// What it sends at `nextTime`, which has come. It must set `nextTime` to a later time.
    mutating func act(at time: Duration) -> [CANFrame]
    /// A frame that another control unit, or somebody outside, sent.
    mutating func receive(_ frame: TimedCANFrame)
}

/// A simulated bus: frames come at their times, in the order of arbitration where they come at once.
///
/// Time passes only while somebody waits, or in step with the clock.
public actor VirtualBus: CANBus {
    /// How time passes.
    public enum Pacing: Sendable {
        /// As fast as it can be computed, while somebody waits.
        case immediate
        /// One second a second, from the making of the bus.
        case realTime
    }

    private var nodes: [any CANNode]
    private let pacing: Pacing
    private let start = ContinuousClock.now
    private nonisolated let listeners = CANListeners()
    private nonisolated let time: Lock<Duration>
    private var pump: Task<Void, Never>?
    private var isClosed = false

    /// How often a node may act at one time before it is taken for one that stands still.
    private static let actionLimit = 10_000

    /// A bus at time 0.
    public init(nodes: [any CANNode], pacing: Pacing = .immediate) {
        self.nodes = nodes
        self.pacing = pacing
        time = Lock(.zero)
        if pacing == .realTime { Task { [weak self] in await self?.startPump() } }
    }

    deinit { pump?.cancel() }

    private func startPump() {
        guard pump == nil, !isClosed else { return }
        pump = Task { [weak self] in
            // Short enough that a frame's time is off by less than its cycle.
            while !Task.isCancelled {
                guard let self else { return }
                do {
                    try await self.run(until: ContinuousClock.now - self.start)
                    try await Task.sleep(for: .milliseconds(2))
                } catch { return }
            }
        }
    }

    /// The time of the bus.
    public nonisolated var now: Duration { time.withLock { $0 } }

    /// Calls a closure for everything that happens from now on.
    public nonisolated func subscribe(_ listener: @escaping @Sendable (CANEvent) -> Void) -> CANSubscription {
        listeners.add(listener)
    }

    /// Sends a frame.
    ///
    /// - Throws: `CANError`.
    public func send(_ frame: CANFrame) async throws {
        guard !isClosed else { throw CANError(.closed, "the bus was closed") }
        let timed = TimedCANFrame(time: now, frame: frame)
        for index in nodes.indices { nodes[index].receive(timed) }
    }

    /// Waits for a time of the bus.
    ///
    /// - Throws: `CANError`, `CancellationError`.
    public func wait(until time: Duration) async throws {
        guard !isClosed else { throw CANError(.closed, "the bus was closed") }
        if pacing == .realTime {
            try await Task.sleep(until: start + time, clock: .continuous)
        }
        try await run(until: time)
    }

    /// Ends the simulation: listeners are told, and nothing can be sent any more.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        pump?.cancel()
        listeners.tell(.closed)
    }

    private func run(until end: Duration) async throws {
        var (actions, standing, last) = (0, 0, now)
        while !isClosed, let next = nodes.compactMap(\.nextTime).min(), next <= end {
            actions += 1
            if actions % 1000 == 0 {
                try Task.checkCancellation()
                await Task.yield()
            }
            standing = max(next, now) == last ? standing + 1 : 0
            guard standing < Self.actionLimit else {
                throw CANError(.protocolViolation, "a control unit stands still at \(next)")
            }
            last = max(next, now)
            act(at: next)
        }
        time.withLock { $0 = max($0, end) }
    }

    /// Lets the control units act whose time has come, and hands their frames on.
    private func act(at next: Duration) {
        // What should have been done before a frame from outside came is done now.
        let time = self.time.withLock { time in
            time = max(time, next)
            return time
        }
        var frames: [(sender: Int, frame: CANFrame)] = []
        for index in nodes.indices where nodes[index].nextTime.map({ $0 <= next }) ?? false {
            frames += nodes[index].act(at: time).map { (index, $0) }
        }
        // A stable order: by identifier, then by node, then as sent.
        let ordered = frames.enumerated().sorted { ($0.element.frame.id, $0.offset) < ($1.element.frame.id, $1.offset) }
        for (_, entry) in ordered {
            let timed = TimedCANFrame(time: time, frame: entry.frame)
            for index in nodes.indices where index != entry.sender { nodes[index].receive(timed) }
            listeners.tell(.frame(timed))
        }
    }
}
