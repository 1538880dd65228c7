public import ArgumentParser
import EdgeAgent
import EdgeCAN
import EdgeSocketCAN
public import EdgeVehicle

/// Which car.
struct VehicleOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Ask a simulated car, in which this is wrong: "
                + TernScenario.allCases.map(\.rawValue).joined(separator: ", ") + ".", valueName: "name"))
    var scenario: TernScenario?

    @Option(
        name: .customLong("can"),
        help: ArgumentHelp("Ask the car on this CAN interface, such as can0.", valueName: "name"))
    var interface: String?

    @Option(
        help: ArgumentHelp(
            "The DBC file that says what its frames mean. (default: the Solvik Tern's)", valueName: "file"))
    var dbc: String?

    func validate() throws {
        if scenario != nil, interface != nil { throw ValidationError("Give --scenario or --can, not both.") }
        if dbc != nil, interface == nil { throw ValidationError("--dbc is for --can.") }
    }

    /// The tools of the car; none where there is no car.
    ///
    /// - Throws: `CANError`, `DBCError`, and what a vehicle without signals throws.
    func tools() throws -> [any Tool] {
        if let scenario {
            return try VehicleTools(SimulatedTern.vehicle(on: SimulatedTern.bus(scenario))).all
        }
        guard let interface else { return [] }
        let bus = try SocketCANBus(interface)
        guard let dbc else { return try VehicleTools(SimulatedTern.vehicle(on: bus)).all }
        return try VehicleTools(Vehicle(bus: bus, database: DBCDatabase(parsing: try Terminal.read(path: dbc)))).all
    }

    /// What the tools may do: all read but one, which deletes; the driver must have asked for that.
    static let policy = AgentPolicy([
        "read_signal": .reads(failureForm: "{signal}: not read, {reason}"),
        "watch_signal": .reads(failureForm: "{signal}: not read, {reason}", seconds: 70),
        "list_signals": .reads(),
        "read_fault_codes": .reads(failureForm: "fault codes: not read, {reason}"),
        "clear_fault_codes": .changes(
            askedBy: [
                ["clear", "delet", "eras", "reset", "remov", "wipe"], ["code", "fault", "dtc", "memory", "error"],
            ],
            failureForm: "fault codes: not deleted, {reason}", denial: "the driver did not agree"),
    ])

    /// How the tools say that something could not be done.
    static let failureMarks = [": not read, ", ": not deleted, "]
}

extension TernScenario: ExpressibleByArgument {}
