/// The bits of a signal as the number they are.
public enum DBCRawValue: Sendable, Hashable {
    /// A whole number that is not negative.
    case unsigned(UInt64)
    /// A whole number.
    case signed(Int64)
    /// A floating-point number; of 32 bits exactly widened.
    case float(Double)

    /// Without what is behind the point; nil for no number of the kind that tables name.
    var whole: Int128? {
        switch self {
        case .unsigned(let value): Int128(value)
        case .signed(let value): Int128(value)
        case .float(let value): Int128(exactly: value.rounded(.towardZero))
        }
    }
}

/// What a signal of a frame is.
public struct DBCValue: Sendable, Hashable {
    /// The number of the bits.
    public let raw: DBCRawValue
    /// Number times scale plus offset, in the unit of the signal: what the bits mean. Whole numbers beyond 2⁵³ are rounded to the nearest
    /// `Double`; `raw` has them exactly.
    public let physical: Double
    /// The name that the value table gives to the number.
    public let choice: String?
}

/// A value to encode.
public enum DBCInput: Sendable, Hashable {
    /// In the unit of the signal; rounded to the nearest number of the bits, halves to the even one.
    case physical(Double)
    /// The number of the bits.
    case raw(DBCRawValue)
    /// A name of the value table.
    case choice(String)
}

extension DBCSignal {
    /// The value of the signal in the bytes of a frame, whatever its multiplexer says; nil where the bytes end before.
    public func value(in data: [UInt8]) -> DBCValue? {
        let start = byteOrder == .bigEndian ? DBCBits.bigEndianStart(startBit) : startBit
        guard fits, start + bitCount <= 8 * data.count else { return nil }
        let bits = DBCBits.read(data, self)
        let raw: DBCRawValue
        switch format {
        case .unsigned: raw = .unsigned(bits)
        case .signed:
            let shift = UInt64(64 - bitCount)
            raw = .signed(Int64(bitPattern: bits << shift) >> Int64(shift))
        case .float:
            raw = .float(
                bitCount == 32 ? Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits))) : Double(bitPattern: bits))
        }
        return DBCValue(raw: raw, physical: physical(raw), choice: choice(raw))
    }

    /// Scale and offset as whole numbers, where they are: then nothing is rounded before the end.
    private var wholeConversion: (scale: Int64, offset: Int64)? {
        guard format != .float, let scale = Int64(exactly: scale), let offset = Int64(exactly: offset) else {
            return nil
        }
        return (scale, offset)
    }

    private func physical(_ raw: DBCRawValue) -> Double {
        let number: Double
        switch raw {
        case .float(let value):
            if scale == 1, offset == 0 { return value }
            number = value
        case .unsigned(let value):
            // At most 64 bits by 63 bits and 63 bits more: no overflow.
            if let whole = wholeConversion { return Double(Int128(value) * Int128(whole.scale) + Int128(whole.offset)) }
            number = Double(value)
        case .signed(let value):
            if let whole = wholeConversion { return Double(Int128(value) * Int128(whole.scale) + Int128(whole.offset)) }
            number = Double(value)
        }
        // Two roundings: a fused multiply-add would give other bits.
        let product = number * scale
        return product + offset
    }

    private func choice(_ raw: DBCRawValue) -> String? {
        choices.isEmpty ? nil : raw.whole.flatMap { choices[$0] }
    }

    /// The bits of a value, or nil where they cannot hold it.
    private func bits(_ input: DBCInput) -> UInt64? {
        switch input {
        case .choice(let name):
            // Of several the greatest, so that the answer does not depend on an order.
            return choices.filter { $0.value == name }.keys.max().flatMap { bits(whole: $0) }
        case .raw(.unsigned(let value)): return bits(whole: Int128(value))
        case .raw(.signed(let value)): return bits(whole: Int128(value))
        case .raw(.float(let value)): return bits(number: value)
        case .physical(let value):
            if let whole = wholeConversion, whole.scale != 0, let exact = Int128(exactly: value) {
                let (difference, overflow) = exact.subtractingReportingOverflow(Int128(whole.offset))
                if !overflow, difference % Int128(whole.scale) == 0 {
                    return bits(whole: difference / Int128(whole.scale))
                }
            }
            return bits(number: scale == 1 && offset == 0 ? value : (value - offset) / scale)
        }
    }

    private func bits(number: Double) -> UInt64? {
        guard format != .float else {
            return bitCount == 32 ? UInt64(Float(number).bitPattern) : number.bitPattern
        }
        return Int128(exactly: number.rounded(.toNearestOrEven)).flatMap { bits(whole: $0) }
    }

    private func bits(whole: Int128) -> UInt64? {
        switch format {
        case .float: return bits(number: Double(whole))
        case .unsigned: return whole >= 0 && whole < Int128(1) << Int128(bitCount) ? UInt64(whole) : nil
        case .signed:
            let half = Int128(1) << Int128(bitCount - 1)
            guard whole >= -half, whole < half else { return nil }
            return UInt64(truncatingIfNeeded: whole) & (bitCount == 64 ? .max : 1 << UInt64(bitCount) - 1)
        }
    }

    /// Puts a value into the bytes of a frame.
    ///
    /// - Throws: `DBCCodingError` where the bits cannot hold it.
    func encode(_ input: DBCInput, into data: inout [UInt8], of message: String) throws(DBCCodingError) {
        guard let bits = bits(input) else {
            if case .choice(let name) = input {
                throw .unknownChoice(message: message, signal: self.name, choice: name)
            }
            throw .outOfRange(message: message, signal: name, value: "\(input)")
        }
        DBCBits.write(bits, &data, self)
    }
}

extension DBCMessage {
    /// The values of all signals in a frame, by name.
    ///
    /// Bytes beyond the message are ignored. Signals that do not fit into the message are left out.
    ///
    /// - Parameters:
    ///   - data: the bytes of the frame.
    ///   - allowingTruncated: whether a frame that is too short gives the signals that are whole.
    /// - Throws: `DBCCodingError` for a frame that is too short, and for a value of a multiplexer that no signal goes with, although
    ///   others have some or the value table names some.
    public func decode(
        _ data: [UInt8], allowingTruncated: Bool = false
    ) throws(DBCCodingError) -> [String: DBCValue] {
        guard data.count >= byteCount || allowingTruncated else {
            throw .tooShort(message: name, byteCount: data.count, expected: byteCount)
        }
        var values: [String: DBCValue] = [:]
        var pending = signals.indices.filter { signals[$0].multiplexing == nil }
        // Every signal is below one multiplexer at most, so each is visited once.
        while let index = pending.popLast() {
            let signal = signals[index]
            guard let value = signal.value(in: data) else { continue }
            values[signal.name] = value
            guard signal.isMultiplexer, let number = Self.multiplexerValue(value) else { continue }
            let below = signals.indices.filter { signals[$0].multiplexing?.signal == signal.name }
            let chosen = below.filter { signals[$0].multiplexing?.contains(number) == true }
            guard !chosen.isEmpty || isKnown(number, of: signal, below) else {
                throw .unknownMultiplexerValue(message: name, signal: signal.name, value: Int(number))
            }
            pending += chosen
        }
        return values
    }

    /// The value of one signal, where it is in the frame: its multiplexers have the values that go with it, and its bits are there.
    public func value(of signal: DBCSignal, in data: [UInt8]) -> DBCValue? {
        var current = signal
        // No chain is longer than there are signals.
        for _ in 0...signals.count {
            guard let above = current.multiplexing else { return signal.value(in: data) }
            guard let multiplexer = self.signal(named: above.signal), let value = multiplexer.value(in: data),
                let number = Self.multiplexerValue(value), above.contains(number)
            else { return nil }
            current = multiplexer
        }
        return nil
    }

    private static func multiplexerValue(_ value: DBCValue) -> Int64? {
        Int64(exactly: value.physical.rounded(.towardZero))
    }

    /// Whether a multiplexer may have a value with which no signal goes.
    private func isKnown(_ number: Int64, of multiplexer: DBCSignal, _ below: [Int]) -> Bool {
        multiplexer.choices[Int128(number)] != nil
            || below.allSatisfy { signals[$0].multiplexing?.values.isEmpty != false } && multiplexer.choices.isEmpty
    }

    /// The bytes of a frame with these values; bits that belong to no signal of it are zero.
    ///
    /// - Parameter values: for every signal of the frame, by name: those that are always there, and those that go with the values of the
    ///   multiplexers. More are ignored.
    /// - Throws: `DBCCodingError` for a signal without a value, a value that the bits cannot hold, and a multiplexer's value that no
    ///   signal goes with.
    public func encode(_ values: [String: DBCInput]) throws(DBCCodingError) -> [UInt8] {
        var data = [UInt8](repeating: 0, count: byteCount)
        var pending = signals.indices.filter { signals[$0].multiplexing == nil && signals[$0].fits }
        while let index = pending.popLast() {
            let signal = signals[index]
            guard let input = values[signal.name] else { throw .missingSignal(message: name, signal: signal.name) }
            try signal.encode(input, into: &data, of: name)
            guard signal.isMultiplexer, let value = signal.value(in: data),
                let number = Self.multiplexerValue(value)
            else { continue }
            let below = signals.indices.filter { signals[$0].multiplexing?.signal == signal.name && signals[$0].fits }
            let chosen = below.filter { signals[$0].multiplexing?.contains(number) == true }
            guard !chosen.isEmpty || isKnown(number, of: signal, below) else {
                throw .unknownMultiplexerValue(message: name, signal: signal.name, value: Int(number))
            }
            pending += chosen
        }
        return data
    }
}
