public import EdgeCAN

/// A car on a bus: its signals, and its fault codes.
///
/// All it gives was on the bus a moment ago. What is absent, old, impossible or does not come in time is a `VehicleError`, whatever the
/// bus does: nothing takes longer than its limit.
public final class Vehicle: Sendable {
    /// The signals that can be read.
    public let signals: [VehicleSignal]
    /// How long reading a signal, or a request to the control units, may take.
    public let timeLimit: Duration

    let bus: any CANBus
    private let latest: CANLatestFrames

    /// How often the bus is looked at while something is waited for, in its own time.
    private static let step = Duration.milliseconds(10)
    /// How often its time may stand still while it is waited for.
    private static let standstillLimit = 100

    /// Listens to a bus from now on.
    ///
    /// - Parameters:
    ///   - database: what the frames mean.
    ///   - names: the signals to read, in this order; nil for all of the database. Names that are not in it are left out.
    ///   - timeLimit: how long a reading or a request may take.
    public init(
        bus: any CANBus, database: DBCDatabase, signals names: [String]? = nil, timeLimit: Duration = .seconds(2)
    ) {
        var known: [String: VehicleSignal] = [:]
        var order: [String] = []
        for message in database.messages {
            for signal in message.signals where signal.fits && known[signal.name] == nil {
                known[signal.name] = VehicleSignal(signal, of: message)
                order.append(signal.name)
            }
        }
        let signals = Self.told((names ?? order).compactMap { known[$0] })
        self.signals = signals
        self.bus = bus
        self.timeLimit = timeLimit
        var slots: [CANIdentifier: [Int]] = [:]
        for (index, signal) in signals.enumerated() { slots[signal.message.id, default: []].append(index) }
        latest = CANLatestFrames(bus) { [slots] frame in
            (slots[frame.id] ?? []).filter { Self.value(of: signals[$0], in: frame) != nil }
        }
    }

    /// Signals with names where their words would not tell them apart.
    private static func told(_ signals: [VehicleSignal]) -> [VehicleSignal] {
        var counts: [String: Int] = [:]
        for signal in signals { counts[signal.words, default: 0] += 1 }
        return signals.map { signal in
            var signal = signal
            if counts[signal.words, default: 0] > 1, signal.words != signal.name { signal.words += " (\(signal.name))" }
            return signal
        }
    }

    /// The signal that is called so, in words or by its name on the bus.
    public func signal(named name: String) -> VehicleSignal? { slot(of: name).map { signals[$0] } }

    private func slot(of name: String) -> Int? {
        signals.firstIndex { $0.words == name } ?? signals.firstIndex { $0.name == name }
    }

    /// The value in a frame of the signal's message; nil for frames that ask for data, are too short, or hold other signals.
    private static func value(of signal: VehicleSignal, in frame: CANFrame) -> DBCValue? {
        if case .remote = frame.format { return nil }
        guard frame.data.count >= signal.message.byteCount else { return nil }
        return signal.message.value(of: signal.signal, in: frame.data)
    }

    // MARK: Reading

    /// The value of a signal, waiting for a frame where the last one is too old.
    ///
    /// - Throws: `VehicleError`; `CancellationError`.
    public func read(_ name: String) async throws -> SignalReading {
        guard let slot = slot(of: name) else { throw VehicleError.unknownSignal }
        return try await limited(to: timeLimit) { try await self.reading(slot) }
    }

    private func reading(_ slot: Int) async throws -> SignalReading {
        let signal = signals[slot]
        let begin = bus.now
        // Less than the limit, so that what is wrong can be told instead of that time is over.
        let patience = min(signal.staleAfter, timeLimit * 9 / 10)
        while true {
            let now = bus.now
            if latest.error == nil, let frame = latest.frame(slot), now - frame.time <= signal.staleAfter {
                return try Self.reading(signal, frame, now)
            }
            guard now - begin < patience else { throw absence(of: slot, now) }
            try await wait(until: min(now + Self.step, begin + patience))
        }
    }

    /// Why there is no value.
    private func absence(of slot: Int, _ now: Duration) -> VehicleError {
        if let error = latest.error { return told(error) }
        return latest.frame(slot).map { .noFrame(for: now - $0.time) } ?? .noFrameSeen
    }

    private static func reading(_ signal: VehicleSignal, _ timed: TimedCANFrame, _ now: Duration) throws
        -> SignalReading
    {
        guard let value = value(of: signal, in: timed.frame) else { throw VehicleError.noFrameSeen }
        let number = try checked(value, signal)
        let status = signal.normal.map { normal -> SignalReading.Status in
            number > normal.upperBound ? .high : number < normal.lowerBound ? .low : .normal
        }
        return SignalReading(
            value: number, choice: value.choice, status: value.choice == nil ? status : nil,
            age: max(.zero, now - timed.time))
    }

    /// The number, if it can be.
    private static func checked(_ value: DBCValue, _ signal: VehicleSignal) throws(VehicleError) -> Double {
        let number = Wording.rounded(value.physical)
        // Names are for values outside of what is measured, such as "not available".
        if value.choice != nil { return number }
        guard let range = signal.range else {
            guard number.isFinite else { throw .failed("the value is \(Wording.number(number))") }
            return number
        }
        guard range.contains(number) else { throw .outsideRange(value: number, range: range, unit: signal.unit) }
        return number
    }

    /// How a signal changes over some seconds.
    ///
    /// - Parameter duration: 1 to 60 seconds; what is beyond is brought there.
    /// - Throws: `VehicleError`, also where the signal stops or has one impossible value; `CancellationError`.
    public func watch(_ name: String, for duration: Duration) async throws -> SignalCourse {
        guard let slot = slot(of: name) else { throw VehicleError.unknownSignal }
        let duration = min(max(duration, .seconds(1)), .seconds(60))
        return try await limited(to: duration + timeLimit) { try await self.course(slot, duration) }
    }

    private func course(_ slot: Int, _ duration: Duration) async throws -> SignalCourse {
        let signal = signals[slot]
        let id = signal.message.id
        let inbox = CANInbox(bus) { $0 == id }
        let begin = bus.now
        var sampler = Sampler(begin: begin, duration: duration)
        var lastTime: Duration?
        while true {
            for timed in try inbox.take() {
                guard let value = Self.value(of: signal, in: timed.frame) else { continue }
                sampler.add(try Self.checked(value, signal), at: timed.time)
                lastTime = timed.time
            }
            let now = bus.now
            guard now - begin < duration else { break }
            // Absent from the beginning is told without waiting for the end.
            if let error = latest.error, now - begin > signal.staleAfter { throw told(error) }
            try await wait(until: min(now + Self.step * 10, begin + duration))
        }
        let now = bus.now
        guard let lastTime, let course = sampler.course(width: signal.normal ?? signal.range) else {
            throw absence(of: slot, now)
        }
        guard now - lastTime <= signal.staleAfter else { throw VehicleError.noFrame(for: now - lastTime) }
        return course
    }

    // MARK: The bus

    /// Waits for a time of the bus, which must come nearer.
    private func wait(until time: Duration) async throws {
        for _ in 0..<Self.standstillLimit {
            let before = bus.now
            guard before < time else { return }
            try Task.checkCancellation()
            try await bus.wait(until: time)
            if bus.now >= time { return }
        }
        throw VehicleError.failed("the time of the bus stands still")
    }

    /// Waits a little for answers.
    func pause(until end: Duration) async throws { try await wait(until: min(end, bus.now + .milliseconds(5))) }

    /// Does something within a limit, and gives every failure its reason.
    func limited<Value: Sendable>(
        to limit: Duration, _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        do {
            return try await withDeadline(limit, work)
        } catch is DeadlinePassed {
            throw VehicleError.timedOut(after: limit)
        } catch let error as VehicleError {
            throw error
        } catch let error as CANError {
            throw told(error)
        } catch is CancellationError {
            // Of the caller, or of a bus that has ended meanwhile.
            try Task.checkCancellation()
            throw VehicleError.failed("the bus was closed")
        } catch {
            // What others write is not passed on to a model.
            throw VehicleError.failed("the bus failed")
        }
    }

    private func told(_ error: CANError) -> VehicleError {
        switch error.code {
        case .busOff: .busOff
        case .timedOut: .timedOut(after: timeLimit)
        default: .failed(error.message)
        }
    }
}

/// What is kept of the values of a time: no more for many than for few.
private struct Sampler {
    private let begin: Duration
    private let duration: Duration
    private var lowest = Double.infinity
    private var highest = -Double.infinity
    private var last = 0.0
    private var count = 0
    /// Sum and number of the values in the first and in the last quarter.
    private var first = (sum: 0.0, count: 0)
    private var final = (sum: 0.0, count: 0)

    init(begin: Duration, duration: Duration) {
        self.begin = begin
        self.duration = duration
    }

    mutating func add(_ value: Double, at time: Duration) {
        lowest = min(lowest, value)
        highest = max(highest, value)
        last = value
        count += 1
        if time - begin <= duration / 4 { first = (first.sum + value, first.count + 1) }
        if time - begin >= duration * 3 / 4 { final = (final.sum + value, final.count + 1) }
    }

    /// Steady is what moves by less than a fiftieth of what is normal; a trend makes at least half of all movement.
    func course(width: ClosedRange<Double>?) -> SignalCourse? {
        guard count > 0 else { return nil }
        let span = highest - lowest
        let width = width.map { $0.upperBound - $0.lowerBound } ?? max(abs(highest), abs(lowest))
        var trend = SignalCourse.Trend.changing
        if span <= width / 50 {
            trend = .steady
        } else if first.count > 0, final.count > 0 {
            let change = final.sum / Double(final.count) - first.sum / Double(first.count)
            if change >= span / 2 { trend = .rising }
            if change <= -span / 2 { trend = .falling }
        }
        return SignalCourse(lowest: lowest, highest: highest, last: last, trend: trend, sampleCount: count)
    }
}
