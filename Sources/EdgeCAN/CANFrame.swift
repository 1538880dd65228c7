/// The identifier of a frame: 11 bits, or 29 bits in the extended format.
///
/// Ordered as the bus arbitrates: of two frames that begin at the same time the lesser one is sent.
public struct CANIdentifier: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The bits.
    public let value: UInt32
    /// Whether there are 29 bits.
    public let isExtended: Bool

    /// An identifier of 11 bits; nil for more.
    public init?(standard value: UInt32) {
        guard value < 1 << 11 else { return nil }
        self.value = value
        isExtended = false
    }

    /// An identifier of 29 bits; nil for more.
    public init?(extended value: UInt32) {
        guard value < 1 << 29 else { return nil }
        self.value = value
        isExtended = true
    }

    /// The identifier of 11 bits that the lowest bits are, for constants.
    public static func standard(_ value: UInt16) -> CANIdentifier { CANIdentifier(masked: value) }

    private init(masked value: UInt16) {
        self.value = UInt32(value & 0x7FF)
        isExtended = false
    }

    /// The first 11 bits, then a recessive bit for the extended format, then the other 18.
    private var arbitration: UInt32 { isExtended ? (value >> 18) << 19 | 1 << 18 | value & 0x3FFFF : value << 19 }

    /// Whether the left one is sent first.
    public static func < (left: CANIdentifier, right: CANIdentifier) -> Bool { left.arbitration < right.arbitration }

    /// The bits in hexadecimal: three digits, or eight in the extended format.
    public var description: String {
        let digits = String(value, radix: 16, uppercase: true)
        return String(repeating: "0", count: (isExtended ? 8 : 3) - digits.count) + digits
    }
}

/// A frame of a CAN bus, classical or CAN FD.
public struct CANFrame: Hashable, Sendable {
    /// What a frame is beside its data.
    public enum Format: Hashable, Sendable {
        /// Up to 8 bytes.
        case classical
        /// Asks for a frame of `length` bytes, and has none itself.
        case remote(length: Int)
        /// CAN FD: up to 64 bytes. `switchesBitRate`: the data were sent faster. `senderIsPassive`: the sender has seen many errors.
        case fd(switchesBitRate: Bool, senderIsPassive: Bool)
    }

    /// The identifier.
    public let id: CANIdentifier
    /// The bytes; none in a remote frame.
    public let data: [UInt8]
    /// What it is.
    public let format: Format

    /// A frame.
    ///
    /// - Throws: `CANError` with `.invalidFrame` for a count of bytes that the format does not have: 0 to 8, and with FD also 12, 16, 20,
    ///   24, 32, 48 and 64.
    public init(_ id: CANIdentifier, data: [UInt8], format: Format = .classical) throws(CANError) {
        let fits =
            switch format {
            case .classical: data.count <= 8
            case .remote(let length): data.isEmpty && (0...8).contains(length)
            case .fd: data.count <= 8 || [12, 16, 20, 24, 32, 48, 64].contains(data.count)
            }
        guard fits else {
            throw CANError(.invalidFrame, "a frame cannot have \(data.count) bytes in the format \(format)")
        }
        self.id = id
        self.data = data
        self.format = format
    }

    /// A classical frame of the first 8 bytes, the ones beyond `data` zero: what protocols that pad send.
    init(_ id: CANIdentifier, padding data: [UInt8], with filler: UInt8) {
        self.id = id
        self.data = Array((data + Array(repeating: filler, count: 8)).prefix(8))
        format = .classical
    }
}

/// A frame, and when it was on the bus.
public struct TimedCANFrame: Hashable, Sendable {
    /// The time of the bus: since it was opened, or since the log or simulation began.
    public let time: Duration
    /// The frame.
    public let frame: CANFrame

    /// A frame at a time.
    public init(time: Duration, frame: CANFrame) {
        self.time = time
        self.frame = frame
    }
}
