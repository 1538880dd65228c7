public import EdgeLLM

/// The tools that let a model ask a car. What they say is one line, with unit, range and age; what could not be read is said as that.
///
/// ```swift
/// let tools = try VehicleTools(vehicle)
/// let session = LanguageModelSession(model: model, tools: tools.all)
/// session.setToolApproval(VehicleTools.approval { await driverAgrees() })
/// ```
public struct VehicleTools: Sendable {
    /// Reads a signal.
    public let readSignal: ReadSignalTool
    /// Watches a signal.
    public let watchSignal: WatchSignalTool
    /// Lists the signals.
    public let listSignals: ListSignalsTool
    /// Reads the fault codes.
    public let readFaultCodes: ReadFaultCodesTool
    /// Deletes the fault codes.
    public let clearFaultCodes: ClearFaultCodesTool

    /// All of them, in the order of the prompt.
    public var all: [any Tool] { [readSignal, watchSignal, listSignals, readFaultCodes, clearFaultCodes] }

    /// The names of tools that change something, which the driver has to agree to.
    public static let needingApproval: Set<String> = [ClearFaultCodesTool.toolName]

    /// The tools of a vehicle.
    ///
    /// - Throws: `GenerationSchema.SchemaError` for a vehicle without signals.
    public init(_ vehicle: Vehicle) throws {
        readSignal = try ReadSignalTool(vehicle)
        watchSignal = try WatchSignalTool(vehicle)
        listSignals = ListSignalsTool(vehicle)
        readFaultCodes = ReadFaultCodesTool(vehicle)
        clearFaultCodes = ClearFaultCodesTool(vehicle)
    }

    /// An approval for a session: tools that change something are called where the driver agrees, and otherwise the model is told that
    /// he did not.
    public static func approval(
        driverAgrees: @escaping @Sendable () async -> Bool
    ) -> @Sendable (Transcript.ToolCall) async -> ToolExecutionDecision {
        { call in
            guard needingApproval.contains(call.toolName) else { return .execute }
            return await driverAgrees() ? .execute : .provide(ClearFaultCodesTool.notAgreed)
        }
    }
}

/// What a signal is called, one of those the vehicle has.
private func signalProperty(_ vehicle: Vehicle) -> DynamicGenerationSchema.Property {
    .init(name: "signal", schema: DynamicGenerationSchema(name: "", anyOf: vehicle.signals.map(\.words)))
}

/// What is said of a signal that could not be read. The words are the car's own, never what the model wrote.
private func notRead(_ vehicle: Vehicle, _ name: String, _ error: VehicleError) -> String {
    "\(vehicle.signal(named: name)?.words ?? "signal"): not read, \(error)"
}

/// `read_signal`: the value of a signal now.
public struct ReadSignalTool: Tool {
    /// Which signal.
    public struct Arguments: ConvertibleFromGeneratedContent, Sendable {
        /// What it is called.
        public let signal: String

        /// The arguments of a call.
        ///
        /// - Throws: `GeneratedContentError`.
        public init(_ content: GeneratedContent) throws { signal = try content.value(forProperty: "signal") }
    }

    /// Its name for the model.
    public let name = "read_signal"
    /// What it does, for the model.
    public let description: String
    /// The schema of the arguments: only signals the vehicle has.
    public let parameters: GenerationSchema
    private let vehicle: Vehicle

    /// The tool of a vehicle.
    ///
    /// - Throws: `GenerationSchema.SchemaError` for a vehicle without signals.
    public init(_ vehicle: Vehicle) throws {
        self.vehicle = vehicle
        let signals = vehicle.signals.map { "\"\($0.words)\"" + Wording.inBrackets($0.unit) }
        description = "reads a live signal. Signals: " + signals.joined(separator: "; ")
        parameters = try GenerationSchema(
            root: DynamicGenerationSchema(name: "", properties: [signalProperty(vehicle)]), dependencies: [])
    }

    /// Does it. What could not be read or done is said in the answer.
    ///
    /// - Throws: `CancellationError`.
    @concurrent public func call(arguments: Arguments) async throws -> String {
        do {
            let reading = try await vehicle.read(arguments.signal)
            guard let signal = vehicle.signal(named: arguments.signal) else { throw VehicleError.unknownSignal }
            var text = "\(signal.words): \(reading.choice ?? Wording.quantity(reading.value, signal.unit))"
            if let status = reading.status, let normal = signal.normal {
                text += ", \(status.rawValue) (normal \(Wording.range(normal, signal.unit)))"
            }
            return text + ", \(Wording.age(reading.age)) old"
        } catch let error as VehicleError {
            return notRead(vehicle, arguments.signal, error)
        }
    }
}

/// `watch_signal`: how a signal changes.
public struct WatchSignalTool: Tool {
    /// Which signal, and how long.
    public struct Arguments: ConvertibleFromGeneratedContent, Sendable {
        /// What it is called.
        public let signal: String
        /// The seconds, 1 to 60.
        public let seconds: Int

        /// The arguments of a call.
        ///
        /// - Throws: `GeneratedContentError`.
        public init(_ content: GeneratedContent) throws {
            signal = try content.value(forProperty: "signal")
            seconds = try content.value(forProperty: "seconds")
        }
    }

    /// Its name for the model.
    public let name = "watch_signal"
    /// What it does, for the model.
    public let description = "watches a signal for some seconds and says how it changes"
    /// The schema of the arguments: only signals the vehicle has.
    public let parameters: GenerationSchema
    private let vehicle: Vehicle

    /// The tool of a vehicle.
    ///
    /// - Throws: `GenerationSchema.SchemaError` for a vehicle without signals.
    public init(_ vehicle: Vehicle) throws {
        self.vehicle = vehicle
        let seconds = DynamicGenerationSchema.Property(
            name: "seconds", schema: DynamicGenerationSchema(type: Int.self, guides: [.range(1...60)]))
        parameters = try GenerationSchema(
            root: DynamicGenerationSchema(name: "", properties: [signalProperty(vehicle), seconds]), dependencies: [])
    }

    /// Does it. What could not be read or done is said in the answer.
    ///
    /// - Throws: `CancellationError`.
    @concurrent public func call(arguments: Arguments) async throws -> String {
        do {
            let seconds = min(max(arguments.seconds, 1), 60)
            let course = try await vehicle.watch(arguments.signal, for: .seconds(seconds))
            guard let signal = vehicle.signal(named: arguments.signal) else { throw VehicleError.unknownSignal }
            let values = [("lowest", course.lowest), ("highest", course.highest), ("last", course.last)].map {
                "\($0.0) \(Wording.quantity($0.1, signal.unit))"
            }
            return "\(signal.words) over \(seconds) s: \(values.joined(separator: ", ")), \(course.trend.rawValue), "
                + "\(course.sampleCount) sample\(course.sampleCount == 1 ? "" : "s")"
        } catch let error as VehicleError {
            return notRead(vehicle, arguments.signal, error)
        }
    }
}

/// No arguments.
public struct NoArguments: Generable, Sendable {
    /// None.
    public init() {}
    /// None, whatever was written.
    public init(_ content: GeneratedContent) throws {}
    /// An empty object.
    public var generatedContent: GeneratedContent { GeneratedContent(properties: [:]) }
    /// An object without properties.
    public static var generationSchema: GenerationSchema { GenerationSchema(type: Self.self, properties: []) }
}

/// `list_signals`: the signals that can be read.
public struct ListSignalsTool: Tool {
    /// Its name for the model.
    public let name = "list_signals"
    /// What it does, for the model.
    public let description = "lists the signals that can be read"
    private let vehicle: Vehicle

    /// The tool of a vehicle.
    public init(_ vehicle: Vehicle) { self.vehicle = vehicle }

    /// Does it. What could not be read or done is said in the answer.
    ///
    /// - Throws: `CancellationError`.
    @concurrent public func call(arguments: NoArguments) async throws -> String {
        let names = vehicle.signals.map { $0.words + Wording.inBrackets($0.unit) }
        return "\(names.count) signal\(names.count == 1 ? "" : "s"): \(names.joined(separator: ", "))"
    }
}

/// `read_fault_codes`: what the control units have found.
public struct ReadFaultCodesTool: Tool {
    /// Its name for the model.
    public let name = "read_fault_codes"
    /// What it does, for the model.
    public let description = "reads the fault codes of the car"
    private let vehicle: Vehicle

    /// The tool of a vehicle.
    public init(_ vehicle: Vehicle) { self.vehicle = vehicle }

    /// Does it. What could not be read or done is said in the answer.
    ///
    /// - Throws: `CancellationError`.
    @concurrent public func call(arguments: NoArguments) async throws -> String {
        do {
            let codes = try await vehicle.readFaultCodes()
            guard !codes.isEmpty else { return "no fault codes" }
            let texts = codes.map { "\($0.code) \($0.meaning) (\($0.state.rawValue))" }
            return "\(codes.count) fault code\(codes.count == 1 ? "" : "s"): \(texts.joined(separator: "; "))"
        } catch let error as VehicleError {
            return "fault codes: not read, \(error)"
        }
    }
}

/// `clear_fault_codes`: deletes what the control units have found. The driver has to agree.
public struct ClearFaultCodesTool: Tool {
    static let toolName = "clear_fault_codes"
    /// What the model is told where the driver does not agree.
    public static let notAgreed = "fault codes: not deleted, the driver did not agree"

    /// Its name for the model.
    public let name: String = ClearFaultCodesTool.toolName
    /// What it does, for the model.
    public let description = "deletes the fault codes of the car"
    private let vehicle: Vehicle

    /// The tool of a vehicle.
    public init(_ vehicle: Vehicle) { self.vehicle = vehicle }

    /// Does it. What could not be read or done is said in the answer.
    ///
    /// - Throws: `CancellationError`.
    @concurrent public func call(arguments: NoArguments) async throws -> String {
        do {
            let count = try await vehicle.clearFaultCodes()
            return "deleted \(count) fault code\(count == 1 ? "" : "s")"
        } catch let error as VehicleError {
            return "fault codes: not deleted, \(error)"
        }
    }
}
