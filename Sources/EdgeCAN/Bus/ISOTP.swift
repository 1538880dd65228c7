/// One end of a connection that carries messages of up to 4095 bytes in frames of 8 (ISO 15765-2, normal addressing, classical frames).
///
/// A value that is told of frames and times, and says what to send: it waits for nothing and works on any bus.
public struct ISOTPEndpoint: Sendable {
    /// How it sends, and how it asks the other end to.
    public struct Settings: Sendable {
        /// The frames the other end may send before it waits for leave (`BS`); 0 for all.
        public var blockSize: UInt8 = 0
        /// The time between two frames that the other end shall keep (`STmin`), in milliseconds, 0 to 127.
        public var separation: UInt8 = 0
        /// How long the other end may take for leave, or for the next frame (`N_Bs`, `N_Cr`).
        public var timeLimit: Duration = .seconds(1)
        /// What fills frames up to 8 bytes.
        public var filler: UInt8 = 0xAA

        /// The usual ones.
        public init() {}
    }

    /// The most bytes of a message.
    public static let byteLimit = 4095

    private let sendID: CANIdentifier
    private let receiveID: CANIdentifier
    private let settings: Settings

    private struct Sending {
        var bytes: [UInt8]
        var offset = 6
        var sequence: UInt8 = 1
        /// Frames that may be sent without new leave; nil for all, 0 while it waits for leave.
        var allowance: Int? = 0
        var separation: Duration = .zero
        /// When the next frame is due, or, while it waits for leave, when that is late.
        var time: Duration
    }

    private struct Receiving {
        var bytes: [UInt8]
        var length: Int
        var sequence: UInt8 = 1
        var inBlock = 0
        var deadline: Duration
    }

    private var sending: Sending?
    private var receiving: Receiving?

    /// An end that sends frames with one identifier and gets those with another.
    public init(sendID: CANIdentifier, receiveID: CANIdentifier, settings: Settings = Settings()) {
        self.sendID = sendID
        self.receiveID = receiveID
        self.settings = settings
    }

    /// Whether a message is on its way, in either direction.
    public var isBusy: Bool { sending != nil || receiving != nil }

    /// When `act(at:)` wants to be called; nil for never.
    public var nextTime: Duration? {
        switch (sending?.time, receiving?.deadline) {
        case (let one?, let two?): min(one, two)
        case (let one, let two): one ?? two
        }
    }

    private func frame(_ bytes: [UInt8]) -> CANFrame { CANFrame(sendID, padding: bytes, with: settings.filler) }

    /// Begins to send a message; one that was under way is given up.
    ///
    /// - Returns: what to send now.
    /// - Throws: `CANError` with `.invalidFrame` for no bytes, or more than `byteLimit`.
    public mutating func send(_ bytes: [UInt8], at time: Duration) throws(CANError) -> [CANFrame] {
        guard !bytes.isEmpty, bytes.count <= Self.byteLimit else {
            throw CANError(
                .invalidFrame, "a message has 1 to \(Self.byteLimit) bytes, not \(bytes.count)")
        }
        guard bytes.count > 7 else {
            sending = nil
            return [frame([UInt8(bytes.count)] + bytes)]
        }
        sending = Sending(bytes: bytes, time: time + settings.timeLimit)
        return [frame([0x10 | UInt8(bytes.count >> 8), UInt8(bytes.count & 0xFF)] + bytes[..<6])]
    }

    /// What to do at `nextTime`: the frames that are due.
    ///
    /// - Throws: `CANError` where the other end is late: `.timedOut`. What was under way is given up.
    public mutating func act(at time: Duration) throws(CANError) -> [CANFrame] {
        if let receiving, receiving.deadline <= time {
            self.receiving = nil
            throw CANError(.timedOut, "the rest of a message did not come")
        }
        guard var sending, sending.time <= time else { return [] }
        if sending.allowance == 0 {
            self.sending = nil
            throw CANError(.timedOut, "the other end did not ask for the rest of a message")
        }
        var frames: [CANFrame] = []
        while sending.time <= time, sending.allowance != 0 {
            let end = min(sending.offset + 7, sending.bytes.count)
            frames.append(frame([0x20 | sending.sequence] + sending.bytes[sending.offset..<end]))
            sending.sequence = (sending.sequence + 1) & 15
            sending.offset = end
            if end == sending.bytes.count {
                self.sending = nil
                return frames
            }
            sending.allowance = sending.allowance.map { $0 - 1 }
            sending.time = sending.allowance == 0 ? time + settings.timeLimit : time + sending.separation
            // One frame at a time where they are to be kept apart.
            if sending.separation > .zero { break }
        }
        self.sending = sending
        return frames
    }

    /// Takes a frame; those with other identifiers are left alone.
    ///
    /// - Returns: what to send now, and the message that is whole with this frame.
    /// - Throws: `CANError` with `.protocolViolation` for a frame that cannot be; what was under way is given up.
    public mutating func receive(
        _ frame: CANFrame, at time: Duration
    ) throws(CANError) -> (frames: [CANFrame], message: [UInt8]?) {
        guard frame.id == receiveID, frame.format == .classical, let first = frame.data.first else { return ([], nil) }
        let data = frame.data
        switch first >> 4 {
        case 0:
            receiving = nil
            let count = Int(first & 15)
            // A length of 0 is one of CAN FD.
            guard (1...7).contains(count), data.count > count else {
                throw violation("a single frame of \(count) bytes")
            }
            return ([], Array(data[1...count]))
        case 1:
            guard data.count == 8 else { throw violation("a first frame of \(data.count) bytes") }
            let length = Int(first & 15) << 8 | Int(data[1])
            guard length > 7 else {
                receiving = nil
                // 0 stands for a length of 32 bits, which is more than is taken: "overflow".
                if length == 0 { return ([self.frame([0x32, 0, 0])], nil) }
                throw violation("a first frame of a message of \(length) bytes")
            }
            receiving = Receiving(bytes: Array(data[2...]), length: length, deadline: time + settings.timeLimit)
            return ([flowControl], nil)
        case 2:
            // One that no first frame announced is left alone, as the standard says.
            guard var receiving else { return ([], nil) }
            guard first & 15 == receiving.sequence else {
                self.receiving = nil
                throw violation("frame \(first & 15) of a message where \(receiving.sequence) was next")
            }
            let missing = receiving.length - receiving.bytes.count
            guard data.count > min(7, missing) else {
                self.receiving = nil
                throw violation("a consecutive frame of \(data.count) bytes")
            }
            receiving.bytes += data[1...min(7, missing)]
            receiving.sequence = (receiving.sequence + 1) & 15
            receiving.deadline = time + settings.timeLimit
            if receiving.bytes.count == receiving.length {
                self.receiving = nil
                return ([], receiving.bytes)
            }
            receiving.inBlock += 1
            let isBlockEnd = settings.blockSize > 0 && receiving.inBlock == Int(settings.blockSize)
            if isBlockEnd { receiving.inBlock = 0 }
            self.receiving = receiving
            return (isBlockEnd ? [flowControl] : [], nil)
        case 3:
            guard var sending, sending.allowance == 0 else { return ([], nil) }
            guard data.count >= 3 else { throw violation("a flow control of \(data.count) bytes") }
            switch first & 15 {
            case 0:
                sending.allowance = data[1] == 0 ? nil : Int(data[1])
                sending.separation = Self.separation(data[2])
                sending.time = time
            case 1: sending.time = time + settings.timeLimit
            default:
                self.sending = nil
                throw violation("the other end does not take the message")
            }
            self.sending = sending
            return ([], nil)
        default: throw violation("a frame of no known kind")
        }
    }

    private var flowControl: CANFrame { frame([0x30, settings.blockSize, min(settings.separation, 127)]) }

    private func violation(_ what: String) -> CANError { CANError(.protocolViolation, what) }

    /// 0 to 127 ms, 100 to 900 µs, and the longest for what is reserved.
    private static func separation(_ byte: UInt8) -> Duration {
        switch byte {
        case ...127: .milliseconds(Int64(byte))
        case 0xF1...0xF9: .microseconds(100 * Int64(byte - 0xF0))
        default: .milliseconds(127)
        }
    }
}
