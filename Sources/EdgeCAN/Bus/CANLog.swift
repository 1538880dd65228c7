/// A log of frames in the format of `candump -L`.
///
///     (1579857014.345944) can0 486#82967A6B006B07F8
///     (1579857014.345944) can0 00000486##182967A6B006B07F8
///     (1579857014.346087) can0 486#R8
public enum CANLog {
    /// A line of a log.
    public struct Entry: Sendable, Equatable {
        /// The time: seconds since 1970, or since the log began.
        public let time: Duration
        /// The name of the bus.
        public let bus: String
        /// The frame.
        public let frame: CANFrame

        /// A line.
        public init(time: Duration, bus: String, frame: CANFrame) {
            self.time = time
            self.bus = bus
            self.frame = frame
        }
    }

    /// The line of a frame, without a line break.
    ///
    /// - Parameter bus: a name without spaces.
    public static func line(_ timed: TimedCANFrame, bus: String = "can0") -> String {
        let (seconds, attoseconds) = timed.time.components
        let microseconds = String(attoseconds / 1_000_000_000_000)
        var line = "(\(seconds).\(String(repeating: "0", count: max(0, 6 - microseconds.count)))\(microseconds)) "
        line += "\(bus) \(timed.frame.id)#"
        switch timed.frame.format {
        case .classical: break
        case .remote(let length): return line + "R" + (length > 0 ? String(length) : "")
        case .fd(let switchesBitRate, let isPassive): line += "#\((switchesBitRate ? 1 : 0) + (isPassive ? 2 : 0))"
        }
        for byte in timed.frame.data {
            line += String(byte >> 4, radix: 16, uppercase: true) + String(byte & 15, radix: 16, uppercase: true)
        }
        return line
    }

    /// Reads a log. Empty lines and frames of errors are left out, and so is a direction (`R` or `T`) at the end of a line.
    ///
    /// - Throws: `CANError` with `.malformedLog` and the line.
    public static func read(_ text: String) throws(CANError) -> [Entry] {
        var entries: [Entry] = []
        var number = 0
        for line in text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            let words = line.split { $0 == 32 || $0 == 9 || $0 == 13 }
            if words.isEmpty { continue }
            guard words.count == 3 || words.count == 4 && [[82], [84]].contains(Array(words[3])),
                let time = time(words[0]), let mark = words[2].firstIndex(of: UInt8(ascii: "#"))
            else {
                throw CANError(.malformedLog, "line \(number): expected (seconds) bus identifier#data")
            }
            let digits = words[2][..<mark]
            guard (1...8).contains(digits.count), let value = UInt32(hexadecimal: digits) else {
                throw CANError(.malformedLog, "line \(number): no identifier of a frame")
            }
            // Frames that tell of errors.
            if digits.count == 8, value & 0x2000_0000 != 0 { continue }
            // More than three digits are an extended identifier, as candump writes them.
            guard let id = digits.count > 3 ? CANIdentifier(extended: value) : CANIdentifier(standard: value) else {
                throw CANError(.malformedLog, "line \(number): an identifier of too many bits")
            }
            guard let frame = frame(id, words[2][words[2].index(after: mark)...]) else {
                throw CANError(.malformedLog, "line \(number): no data of a frame")
            }
            entries.append(Entry(time: time, bus: String(decoding: words[1], as: UTF8.self), frame: frame))
        }
        return entries
    }

    private static func time(_ word: Substring.UTF8View) -> Duration? {
        guard word.first == UInt8(ascii: "("), word.last == UInt8(ascii: ")") else { return nil }
        let parts = word.dropFirst().dropLast().split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count),
            parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy { (48...57).contains($0) } }),
            let seconds = Int64(String(decoding: parts[0], as: UTF8.self)), seconds < 1 << 40
        else { return nil }
        var nanoseconds: Int64 = 0
        if parts.count == 2 {
            let digits = String(decoding: parts[1].prefix(9), as: UTF8.self)
            nanoseconds = Int64(digits + String(repeating: "0", count: 9 - digits.utf8.count)) ?? 0
        }
        return .seconds(seconds) + .nanoseconds(nanoseconds)
    }

    private static func frame(_ id: CANIdentifier, _ rest: Substring.UTF8View) -> CANFrame? {
        if rest.first == UInt8(ascii: "R") {
            let digits = rest.dropFirst()
            guard let length = digits.isEmpty ? 0 : Int(String(decoding: digits, as: UTF8.self)) else { return nil }
            return try? CANFrame(id, data: [], format: .remote(length: length))
        }
        guard rest.first == UInt8(ascii: "#") else { return bytes(rest).flatMap { try? CANFrame(id, data: $0) } }
        guard let flags = UInt32(hexadecimal: rest.dropFirst().prefix(1)) else { return nil }
        return bytes(rest.dropFirst(2)).flatMap {
            try? CANFrame(
                id, data: $0, format: .fd(switchesBitRate: flags & 1 != 0, senderIsPassive: flags & 2 != 0))
        }
    }

    private static func bytes(_ digits: Substring.UTF8View) -> [UInt8]? {
        let digits = Array(digits)
        guard digits.count % 2 == 0, digits.count <= 128 else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let byte = UInt32(hexadecimal: digits[index..<index + 2]) else { return nil }
            bytes.append(UInt8(byte))
        }
        return bytes
    }
}

extension UInt32 {
    /// The number of up to eight hexadecimal digits.
    fileprivate init?(hexadecimal digits: some Collection<UInt8>) {
        guard !digits.isEmpty, digits.count <= 8, digits.allSatisfy({ UInt8($0).isHexadecimalDigit }),
            let value = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
        else { return nil }
        self = value
    }
}

extension UInt8 {
    fileprivate var isHexadecimalDigit: Bool {
        (48...57).contains(self) || (65...70).contains(self) || (97...102).contains(self)
    }
}

/// Plays a log on a simulated bus, from the time of its first frame on.
public struct CANLogPlayer: CANNode {
    private let entries: [CANLog.Entry]
    private let origin: Duration
    private var index = 0

    /// A player of frames in the order of their times.
    ///
    /// - Parameter bus: the bus whose frames are played; nil for all.
    public init(_ entries: [CANLog.Entry], bus: String? = nil) {
        let chosen = entries.filter { bus == nil || $0.bus == bus }
        // The sort is not stable by itself.
        self.entries = chosen.enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }
            .map(\.element)
        origin = self.entries.first?.time ?? .zero
    }

    /// The time of the next frame.
    public var nextTime: Duration? { index < entries.count ? entries[index].time - origin : nil }

    /// The frames whose time has come.
    public mutating func act(at time: Duration) -> [CANFrame] {
        let first = index
        while let next = nextTime, next <= time { index += 1 }
        return entries[first..<index].map(\.frame)
    }

    /// Nothing: a log does not answer.
    public mutating func receive(_ frame: TimedCANFrame) {}
}
