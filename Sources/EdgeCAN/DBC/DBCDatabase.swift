/// The messages of a bus and what their bits mean, as a DBC file tells.
///
/// ```swift
/// let database = try DBCDatabase(parsing: Array(try Data(contentsOf: url)))
/// let values = try database.message(frame.id)?.decode(frame.data)
/// ```
public struct DBCDatabase: Sendable, Equatable {
    /// The version the file gives itself.
    public internal(set) var version = ""
    /// What the file says of the bus.
    public internal(set) var comment: String?
    /// The control units.
    public internal(set) var nodes: [DBCNode] = []
    /// The messages, in the order of the file.
    public internal(set) var messages: [DBCMessage] = []
    /// Value tables that have a name of their own.
    public internal(set) var valueTables: [String: DBCValueTable] = [:]
    /// Environment variables, in the order of the file.
    public internal(set) var environmentVariables: [DBCEnvironmentVariable] = []
    /// What attributes there may be, by name.
    public internal(set) var attributeDefinitions: [String: DBCAttributeDefinition] = [:]
    /// The attributes of the database itself.
    public internal(set) var attributes: [String: DBCAttributeValue] = [:]
    /// What is wrong with the file without keeping it from being used.
    public internal(set) var problems: [DBCProblem] = []

    private var indexByID: [CANIdentifier: Int] = [:]
    private var indexByName: [String: Int] = [:]

    init() {}

    /// The message with an identifier; of several the last.
    public func message(_ id: CANIdentifier) -> DBCMessage? { indexByID[id].map { messages[$0] } }

    /// The message with a name; of several the last.
    public func message(named name: String) -> DBCMessage? { indexByName[name].map { messages[$0] } }

    mutating func index() {
        for (index, message) in messages.enumerated() {
            indexByID[message.id] = index
            indexByName[message.name] = index
        }
    }
}

/// A control unit.
public struct DBCNode: Sendable, Equatable {
    /// Its name.
    public let name: String
    /// What the file says of it.
    public let comment: String?
    /// Its attributes.
    public let attributes: [String: DBCAttributeValue]
}

/// Something wrong in a file that can be used nevertheless.
public struct DBCProblem: Sendable, Equatable, CustomStringConvertible {
    /// The kinds of problems.
    public enum Kind: Sendable, Equatable {
        /// Two signals that can be in one frame share a bit.
        case overlap
        /// A signal reaches beyond its message. It is not decoded.
        case doesNotFit
        /// Something is said of a message, signal or attribute that is not there.
        case reference
        /// Something is there twice.
        case duplicate
        /// A multiplexed signal has no multiplexer. It is decoded always.
        case multiplexing
    }

    /// The kind.
    public let kind: Kind
    /// What is wrong.
    public let message: String
    /// The line, from 1.
    public let line: Int
    /// The character in the line, from 1.
    public let column: Int

    /// Place and message.
    public var description: String { "line \(line), column \(column): \(message)" }
}

/// Names of numbers, each a number of up to 64 bits with or without a sign.
public typealias DBCValueTable = [Int128: String]

/// The value of an attribute.
public enum DBCAttributeValue: Sendable, Equatable {
    /// A whole number.
    case integer(Int64)
    /// Any number.
    case number(Double)
    /// A text, or the name of a value of an enumeration.
    case text(String)

    /// The number, where it is one.
    public var number: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        case .text: nil
        }
    }

    /// The text, where it is one.
    public var text: String? { if case .text(let text) = self { text } else { nil } }
}

/// What an attribute may be.
public struct DBCAttributeDefinition: Sendable, Equatable {
    /// What has the attribute.
    public enum Owner: String, Sendable {
        /// The database.
        case database = ""
        /// A control unit.
        case node = "BU_"
        /// A message.
        case message = "BO_"
        /// A signal.
        case signal = "SG_"
        /// An environment variable.
        case environmentVariable = "EV_"
    }

    /// The kinds of values.
    public enum Kind: String, Sendable {
        /// A whole number.
        case integer = "INT"
        /// A whole number that is shown in hexadecimal.
        case hexadecimal = "HEX"
        /// Any number.
        case number = "FLOAT"
        /// A text.
        case text = "STRING"
        /// One of several names.
        case enumeration = "ENUM"
    }

    /// Its name.
    public let name: String
    /// What has it.
    public let owner: Owner
    /// The kind of its values.
    public let kind: Kind
    /// The least and the greatest number, where they are given.
    public let bounds: [Double]
    /// The names of an enumeration, from 0.
    public let choices: [String]
    /// The value of what does not say.
    public internal(set) var defaultValue: DBCAttributeValue?
}

/// A variable that control units share outside of the bus.
public struct DBCEnvironmentVariable: Sendable, Equatable {
    /// Its name.
    public let name: String
    /// 0: whole numbers, 1: any number, 2: text; as the file says.
    public let type: Int
    /// The least value.
    public let minimum: Double
    /// The greatest value.
    public let maximum: Double
    /// The unit.
    public let unit: String
    /// The value in the beginning.
    public let initialValue: Double
    /// The control units that use it.
    public let nodes: [String]
    /// The bytes, where it is data.
    public let byteCount: Int?
    /// What the file says of it.
    public let comment: String?
    /// Its attributes.
    public let attributes: [String: DBCAttributeValue]
}

/// Signals of a message that belong together.
public struct DBCSignalGroup: Sendable, Equatable {
    /// Its name.
    public let name: String
    /// The signals' names.
    public let signalNames: [String]
}

/// A message: an identifier, and what the bytes of its frames mean.
public struct DBCMessage: Sendable, Equatable {
    /// Its identifier.
    public let id: CANIdentifier
    /// Its name.
    public let name: String
    /// The bytes of a frame.
    public let byteCount: Int
    /// The control units that send it.
    public let senders: [String]
    /// The signals, in the order of the file.
    public let signals: [DBCSignal]
    /// The time between two frames (`GenMsgCycleTime`), where the message is sent regularly.
    public let cycleTime: Duration?
    /// Whether it needs CAN FD (`VFrameFormat`).
    public let isFD: Bool
    /// Groups of signals.
    public let groups: [DBCSignalGroup]
    /// What the file says of it.
    public let comment: String?
    /// Its attributes; what is not given has its definition's default.
    public let attributes: [String: DBCAttributeValue]

    let indexByName: [String: Int]

    /// The signal with a name.
    public func signal(named name: String) -> DBCSignal? { indexByName[name].map { signals[$0] } }
}

/// A signal: some bits of a message, and what they mean.
public struct DBCSignal: Sendable, Equatable {
    /// How the bits are a number.
    public enum Format: Sendable, Equatable {
        /// A whole number that is not negative.
        case unsigned
        /// A whole number in two's complement.
        case signed
        /// IEEE 754, of 32 or 64 bits.
        case float
    }

    /// The order of the bytes.
    public enum ByteOrder: Sendable, Equatable {
        /// Intel: `startBit` is the least significant bit, and bits are counted upwards.
        case littleEndian
        /// Motorola: `startBit` is the most significant bit, and the others follow downwards, then in the next byte from its bit 7.
        case bigEndian
    }

    /// When a signal is in a frame: when another signal, the multiplexer, has one of some values.
    public struct Multiplexing: Sendable, Equatable {
        /// The multiplexer.
        public let signal: String
        /// Its values.
        public let values: [ClosedRange<Int64>]

        /// Whether a value of the multiplexer is one of them.
        public func contains(_ value: Int64) -> Bool { values.contains { $0.contains(value) } }
    }

    /// Its name.
    public let name: String
    /// The first bit: 8 times the byte plus the bit of the byte, 0 the least significant.
    public let startBit: Int
    /// The number of bits, 1 to 64.
    public let bitCount: Int
    /// The order of the bytes.
    public let byteOrder: ByteOrder
    /// How the bits are a number.
    public let format: Format
    /// What the number of the bits is multiplied by.
    public let scale: Double
    /// What is added then.
    public let offset: Double
    /// The least value, where the file says one.
    public let minimum: Double?
    /// The greatest value, where the file says one.
    public let maximum: Double?
    /// The unit of the value; empty for none.
    public let unit: String
    /// The names of the numbers of the bits.
    public let choices: DBCValueTable
    /// The control units that use it.
    public let receivers: [String]
    /// Whether its value says which other signals are in the frame.
    public let isMultiplexer: Bool
    /// When it is in a frame; nil for always.
    public let multiplexing: Multiplexing?
    /// What the file says of it.
    public let comment: String?
    /// Its attributes; what is not given has its definition's default.
    public let attributes: [String: DBCAttributeValue]
    /// Whether all bits are in the message.
    public let fits: Bool
}
