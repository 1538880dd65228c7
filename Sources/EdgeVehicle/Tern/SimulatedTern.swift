public import EdgeCAN

/// The Solvik Tern, a car that does not exist, on a simulated bus.
///
/// ```swift
/// let bus = try SimulatedTern.bus(.misfire)
/// let vehicle = try SimulatedTern.vehicle(on: bus)
/// ```
public enum SimulatedTern {
    /// The signals that can be read, in the order in which they are listed.
    public static let signalNames = [
        "EngineSpeed", "VehicleSpeed", "EngineLoad", "CoolantTemp", "OilTemp", "OilPressure", "BatteryVoltage",
        "FuelLevel", "MisfireRate", "FuelTrim", "IntakeAirTemp", "TyrePressureFL", "TyrePressureFR", "TyrePressureRL",
        "TyrePressureRR", "OutsideTemp",
    ]

    /// The messages of its bus: `Fixtures/tern.dbc`.
    ///
    /// - Throws: `DBCError`.
    public static func database() throws -> DBCDatabase {
        try DBCDatabase(parsing: PackageResources.tern_dbc, strict: true)
    }

    /// A bus with its control units, each of which sends its frames at their cycle times. The same seed gives the same frames.
    ///
    /// - Parameters:
    ///   - scenario: what is wrong with it.
    ///   - seed: of what is random.
    ///   - pacing: whether time passes with the clock, or while somebody waits.
    ///   - faultCodes: the codes it has, where they are not those of the scenario.
    /// - Throws: `DBCError`.
    public static func bus(
        _ scenario: TernScenario, seed: UInt64 = 1, pacing: VirtualBus.Pacing = .immediate,
        faultCodes: [FaultCode]? = nil
    ) throws -> VirtualBus {
        VirtualBus(nodes: try nodes(scenario, seed: seed, faultCodes: faultCodes), pacing: pacing)
    }

    /// The control units, for a bus with others.
    ///
    /// - Throws: `DBCError`.
    public static func nodes(
        _ scenario: TernScenario, seed: UInt64 = 1, faultCodes: [FaultCode]? = nil
    ) throws -> [any CANNode] {
        let database = try database()
        let codes = faultCodes ?? scenario.faultCodes
        // Codes of the chassis are the chassis unit's, and so is the one of an engine that is silent.
        let chassisCodes = codes.filter { $0.code.hasPrefix("C") || $0.code.hasPrefix("U") }
        let engine = TernUnit(
            "EngineUnit", database, scenario, seed: seed, faults: codes.filter { !chassisCodes.contains($0) },
            answer: .standard(0x7E8), delay: .milliseconds(8))
        let chassis = TernUnit(
            "ChassisUnit", database, scenario, seed: seed, faults: chassisCodes, answer: .standard(0x7E9),
            delay: .milliseconds(12))
        let body = TernUnit("BodyUnit", database, scenario, seed: seed, faults: [], answer: nil, delay: .zero)
        return scenario == .silentEngine ? [chassis, body] : [engine, chassis, body]
    }

    /// The car on a bus: a simulated one, or any other with its messages.
    ///
    /// - Throws: `DBCError`.
    public static func vehicle(on bus: any CANBus, timeLimit: Duration = .seconds(2)) throws -> Vehicle {
        Vehicle(bus: bus, database: try database(), signals: signalNames, timeLimit: timeLimit)
    }
}

/// A control unit: sends its messages regularly, keeps fault codes, and answers requests of diagnosis.
struct TernUnit: CANNode {
    private struct Cycle {
        let message: DBCMessage
        let period: Duration
        var next: Duration
        var count = 0
    }

    private let scenario: TernScenario
    private let courses: [String: TernScenario.Course]
    private let seed: UInt64
    private let faults: [FaultCode]
    private let delay: Duration
    private var cycles: [Cycle]
    private var clearedAt: Duration?
    private var endpoint: ISOTPEndpoint?
    private let requestID: CANIdentifier?
    /// Answers that are not sent yet, and frames of the protocol.
    private var answers: [(time: Duration, bytes: [UInt8])] = []
    private var outgoing: [(time: Duration, frame: CANFrame)] = []

    /// How long a fault that is there takes to be found again.
    private static let detection = Duration.seconds(5)
    /// More requests at a time are not heard.
    private static let answerLimit = 16

    init(
        _ name: String, _ database: DBCDatabase, _ scenario: TernScenario, seed: UInt64, faults: [FaultCode],
        answer: CANIdentifier?, delay: Duration
    ) {
        self.scenario = scenario
        self.seed = seed
        self.faults = faults
        self.delay = delay
        courses = scenario.courses
        let request = answer.map { CANIdentifier.standard(UInt16($0.value) - 8) }
        requestID = request
        if let answer, let request { endpoint = ISOTPEndpoint(sendID: answer, receiveID: request) }
        var cycles: [Cycle] = []
        for (index, message) in database.messages.enumerated() where message.senders == [name] {
            guard let period = message.cycleTime else { continue }
            // Not all at once.
            cycles.append(Cycle(message: message, period: period, next: .milliseconds(3 + 7 * index)))
        }
        self.cycles = cycles
    }

    var nextTime: Duration? {
        var times = cycles.map(\.next) + answers.map(\.time) + outgoing.map(\.time)
        if let time = endpoint?.nextTime { times.append(time) }
        return times.min()
    }

    mutating func act(at time: Duration) -> [CANFrame] {
        var frames = outgoing.filter { $0.time <= time }.map(\.frame)
        outgoing.removeAll { $0.time <= time }
        for index in cycles.indices where cycles[index].next <= time {
            if let frame = frame(cycles[index], at: time) { frames.append(frame) }
            cycles[index].count += 1
            while cycles[index].next <= time { cycles[index].next += cycles[index].period }
        }
        // What the tester does not ask for in time is given up.
        frames += (try? endpoint?.act(at: time)) ?? []
        if let index = answers.firstIndex(where: { $0.time <= time }), endpoint?.isBusy == false {
            frames += (try? endpoint?.send(answers.remove(at: index).bytes, at: time)) ?? []
        }
        // One answer after the other.
        for index in answers.indices where answers[index].time <= time { answers[index].time = time + delay }
        return frames
    }

    mutating func receive(_ timed: TimedCANFrame) {
        guard endpoint != nil, answers.count < Self.answerLimit else { return }
        if timed.frame.id == DiagnosticService.request {
            // A request to all is one frame.
            guard let count = timed.frame.data.first, (1...7).contains(count), timed.frame.data.count > Int(count)
            else {
                return
            }
            answer(Array(timed.frame.data[1...Int(count)]), at: timed.time, isToAll: true)
        } else if timed.frame.id == requestID {
            guard let (frames, message) = try? endpoint?.receive(timed.frame, at: timed.time) else { return }
            outgoing += frames.map { (timed.time + .milliseconds(1), $0) }
            if let message { answer(message, at: timed.time, isToAll: false) }
        }
    }

    private mutating func answer(_ request: [UInt8], at time: Duration, isToAll: Bool) {
        guard let service = request.first else { return }
        let known = codes(at: time)
        var bytes: [UInt8]
        switch service {
        case DiagnosticService.storedCodes: bytes = list(known.map(\.code))
        case DiagnosticService.pendingCodes: bytes = list(known.filter { $0.state == .active }.map(\.code))
        case DiagnosticService.clear:
            clearedAt = time
            bytes = []
        default:
            // "Service not supported", which nobody says who was not asked alone.
            if !isToAll { answers.append((time + delay, [DiagnosticService.negative, service, 0x11])) }
            return
        }
        bytes.insert(service | DiagnosticService.answer, at: 0)
        answers.append((time + delay, bytes))
    }

    private func list(_ codes: [String]) -> [UInt8] {
        let values = codes.compactMap { FaultCode.value($0) }.prefix(255)
        return [UInt8(values.count)] + values.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
    }

    /// What is stored: after deleting, what is still wrong is found again.
    private func codes(at time: Duration) -> [FaultCode] {
        guard let clearedAt else { return faults }
        return time - clearedAt >= Self.detection ? faults.filter { $0.state == .active } : []
    }

    // MARK: Messages

    private func frame(_ cycle: Cycle, at time: Duration) -> CANFrame? {
        var inputs: [String: DBCInput] = [:]
        for signal in cycle.message.signals { inputs[signal.name] = .physical(value(signal, cycle, time)) }
        guard let data = try? cycle.message.encode(inputs) else { return nil }
        return try? CANFrame(cycle.message.id, data: data)
    }

    private func value(_ signal: DBCSignal, _ cycle: Cycle, _ time: Duration) -> Double {
        if let course = courses[signal.name] { return value(signal, course, time) }
        switch signal.name {
        case "EngineFastCounter": return Double(cycle.count % 16)
        case "FaultCount": return Double(codes(at: time).count)
        case "FaultIndex": return Double(cycle.count % 4)
        case _ where signal.name.hasPrefix("FaultCode"), _ where signal.name.hasPrefix("FaultState"):
            let codes = codes(at: time)
            guard let index = signal.name.last?.wholeNumberValue, index < codes.count else { return 0 }
            if signal.name.hasPrefix("FaultState") { return codes[index].state == .active ? 2 : 1 }
            return Double(FaultCode.value(codes[index].code) ?? 0)
        default: return scenario.lamps[signal.name] ?? 0
        }
    }

    /// A function of the time alone: no state that a lost frame could change.
    private func value(_ signal: DBCSignal, _ course: TernScenario.Course, _ time: Duration) -> Double {
        let seconds = time / .seconds(1)
        var value = course.start + course.slope * seconds
        if course.slope > 0 { value = min(value, course.limit) }
        if course.slope < 0 { value = max(value, course.limit) }
        if course.wave > 0 {
            // A triangle, from -1 to 1.
            let phase = (seconds / course.period).truncatingRemainder(dividingBy: 1)
            value += course.wave * (phase < 0.5 ? 4 * phase - 1 : 3 - 4 * phase)
        }
        if course.noise > 0 {
            let name = signal.name.utf8.reduce(seed) { $0 &* 0x100_0000_01B3 ^ UInt64($1) }
            let milliseconds = UInt64(max(0, time / .milliseconds(1)))
            var generator = SplitMix64(seed: name ^ milliseconds &* 0x9E37_79B9_7F4A_7C15)
            value += course.noise * (2 * generator.unit() - 1)
        }
        return min(max(value, signal.minimum ?? value), signal.maximum ?? value)
    }
}
