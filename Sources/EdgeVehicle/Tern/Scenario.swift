/// What is wrong with the simulated car.
public enum TernScenario: String, Sendable, CaseIterable {
    /// Nothing.
    case healthy
    /// Cylinder 1 misfires while the engine pulls.
    case misfire
    /// The coolant gets hotter and hotter.
    case overheating
    /// The engine has too little oil pressure.
    case lowOilPressure = "low-oil-pressure"
    /// The engine does not start: the battery is flat.
    case flatBattery = "flat-battery"
    /// The tyre front left loses air.
    case tyreLoss = "tyre-loss"
    /// The control unit of the engine is silent.
    case silentEngine = "silent-engine"

    /// The faults that the control units have found when the simulation begins.
    public var faultCodes: [FaultCode] {
        switch self {
        case .healthy: []
        case .misfire: [.init(code: "P0301", state: .active), .init(code: "P0171", state: .stored)]
        case .overheating: [.init(code: "P0217", state: .active)]
        case .lowOilPressure: [.init(code: "P0524", state: .active)]
        case .flatBattery: [.init(code: "P0562", state: .active)]
        case .tyreLoss: [.init(code: "C0750", state: .active)]
        case .silentEngine: [.init(code: "U0100", state: .active)]
        }
    }

    /// How a signal goes over time.
    struct Course {
        /// At the beginning.
        var start: Double
        /// What it changes by in a second, up to `limit`.
        var slope = 0.0
        var limit = 0.0
        /// A slow movement up and down, and its seconds.
        var wave = 0.0
        var period = 8.0
        /// The most that a value is off at random.
        var noise = 0.0
    }

    private static let driving: [String: Course] = [
        "EngineSpeed": Course(start: 2100, wave: 150, noise: 12),
        "VehicleSpeed": Course(start: 62, wave: 2, period: 20, noise: 0.1),
        "EngineLoad": Course(start: 38, wave: 4, noise: 1),
        "CoolantTemp": Course(start: 90, wave: 0.2, period: 30, noise: 0.1),
        "OilTemp": Course(start: 96, wave: 0.2, period: 30, noise: 0.1),
        "OilPressure": Course(start: 3.2, wave: 0.04, noise: 0.02),
        "BatteryVoltage": Course(start: 14.1, noise: 0.02),
        "FuelLevel": Course(start: 62),
        "MisfireRate": Course(start: 0),
        "FuelTrim": Course(start: 1.5, wave: 0.5, period: 5, noise: 0.1),
        "IntakeAirTemp": Course(start: 24),
        "TyrePressureFL": Course(start: 2.42), "TyrePressureFR": Course(start: 2.4),
        "TyrePressureRL": Course(start: 2.38), "TyrePressureRR": Course(start: 2.41),
        "OutsideTemp": Course(start: 12.5),
    ]

    private var changes: [String: Course] {
        switch self {
        case .healthy, .silentEngine: [:]
        case .misfire:
            [
                "EngineSpeed": Course(start: 2900, wave: 250, noise: 60),
                "EngineLoad": Course(start: 82, wave: 5, noise: 1),
                "MisfireRate": Course(start: 64, wave: 12, noise: 6),
                "FuelTrim": Course(start: 12.5, wave: 0.8, period: 5, noise: 0.2),
            ]
        case .overheating:
            [
                "CoolantTemp": Course(start: 114, slope: 0.4, limit: 134, noise: 0.1),
                "OilTemp": Course(start: 127, slope: 0.15, limit: 142, noise: 0.1),
                "EngineLoad": Course(start: 71, wave: 4, noise: 1),
            ]
        case .lowOilPressure:
            [
                "OilPressure": Course(start: 0.62, slope: -0.004, limit: 0.4, wave: 0.02, noise: 0.01),
                "OilTemp": Course(start: 118, wave: 0.2, noise: 0.1),
            ]
        case .flatBattery:
            [
                "BatteryVoltage": Course(start: 10.9, slope: -0.008, limit: 10.3, noise: 0.01),
                "EngineSpeed": Course(start: 0), "VehicleSpeed": Course(start: 0), "EngineLoad": Course(start: 0),
                "CoolantTemp": Course(start: 14), "OilTemp": Course(start: 14), "OilPressure": Course(start: 0),
                "FuelTrim": Course(start: 0), "IntakeAirTemp": Course(start: 13),
            ]
        case .tyreLoss: ["TyrePressureFL": Course(start: 1.86, slope: -0.015, limit: 0.9)]
        }
    }

    var courses: [String: Course] { Self.driving.merging(changes) { $1 } }

    /// The lamps that are lit: 1 on, 2 flashing.
    var lamps: [String: Double] {
        switch self {
        case .healthy: [:]
        case .misfire: ["EngineLamp": 2]
        case .overheating: ["CoolantLamp": 2, "EngineLamp": 1]
        case .lowOilPressure: ["OilLamp": 2]
        case .flatBattery: ["BatteryLamp": 1]
        case .tyreLoss: ["TyreLamp": 1]
        case .silentEngine: ["EngineLamp": 1]
        }
    }
}
