import EdgePlatform

/// A position in the header that only moves forward; every read is checked and failures say where.
///
/// Counts are compared with the bytes that are left before anything is allocated or looped over, so work and memory stay
/// bounded by the size of the file.
struct GGUFCursor {
    let bytes: ByteView
    let path: String
    var layout: GGUFLayout
    /// The next byte to read.
    var offset: Int
    /// Added to positions in errors: where `bytes` begins in the file.
    let base: Int
    /// The pair or tensor being read, for errors.
    var key: String?
    var tensor: String?

    /// Nested arrays deeper than this are refused; no real file has more than two levels.
    static let deepestArray = 16

    init(
        _ bytes: ByteView, layout: GGUFLayout = .current, path: String, base: Int = 0, key: String? = nil
    ) {
        self.bytes = bytes
        self.path = path
        self.layout = layout
        self.base = base
        self.key = key
        offset = 0
    }

    var remaining: Int { bytes.count - offset }

    /// An error at a position of the header, by default the current one.
    func error(_ code: GGUFError.Code, _ message: String, at position: Int? = nil) -> GGUFError {
        GGUFError(
            code, message, byteOffset: base + (position ?? offset), key: key, tensor: tensor, path: path)
    }

    /// Reads a number in the file's byte order. `what` names it in the error.
    @inline(__always)
    mutating func integer<T: FixedWidthInteger>(_ what: StaticString, as type: T.Type = T.self) throws(GGUFError) -> T {
        guard let stored = bytes.load(T.self, at: offset) else { throw truncated(what) }
        offset += MemoryLayout<T>.size
        return layout.native(stored)
    }

    /// Reads a count of things that take at least `leastByteCount` bytes each and refuses it when they cannot be there.
    @inline(__always)
    mutating func count(_ what: StaticString, leastByteCount: Int) throws(GGUFError) -> Int {
        let start = offset
        let stored: UInt64 = layout.version == 1 ? UInt64(try integer(what, as: UInt32.self)) : try integer(what)
        guard stored <= UInt64(remaining / leastByteCount) else {
            throw error(.truncated, "\(what) is \(stored), more than the \(remaining) bytes left can hold", at: start)
        }
        return Int(stored)
    }

    /// Reads a string's length and moves past it; the result is where its bytes lie in `bytes`.
    @inline(__always)
    mutating func string(_ what: StaticString) throws(GGUFError) -> Range<Int> {
        let length = try count(what, leastByteCount: 1)
        defer { offset += length }
        return offset..<offset + length
    }

    /// Moves past bytes whose presence the caller has checked by `count`.
    mutating func skip(_ byteCount: Int, _ what: StaticString) throws(GGUFError) {
        guard byteCount >= 0, byteCount <= remaining else { throw truncated(what) }
        offset += byteCount
    }

    private func truncated(_ what: StaticString) -> GGUFError {
        error(.truncated, "the file ends inside \(what)")
    }
}

// MARK: Values

extension GGUFCursor {
    mutating func valueType(_ what: StaticString) throws(GGUFError) -> GGUFValueType {
        let start = offset
        let raw = try integer(what, as: UInt32.self)
        guard let type = GGUFValueType(rawValue: raw) else {
            throw error(.malformed, "\(what) is \(raw), which is no metadata type (0 to 12)", at: start)
        }
        return type
    }

    mutating func value(of type: GGUFValueType) throws(GGUFError) -> GGUFValue {
        switch type {
        case .uint8: return .uint8(try integer("a u8 value"))
        case .int8: return .int8(try integer("an i8 value"))
        case .uint16: return .uint16(try integer("a u16 value"))
        case .int16: return .int16(try integer("an i16 value"))
        case .uint32: return .uint32(try integer("a u32 value"))
        case .int32: return .int32(try integer("an i32 value"))
        case .float32: return .float32(Float(bitPattern: try integer("an f32 value")))
        case .uint64: return .uint64(try integer("a u64 value"))
        case .int64: return .int64(try integer("an i64 value"))
        case .float64: return .float64(Double(bitPattern: try integer("an f64 value")))
        case .bool:
            let stored = try integer("a bool value", as: UInt8.self)
            guard stored <= 1 else { throw notBool(stored, at: offset - 1) }
            return .bool(stored == 1)
        case .string:
            let range = try string("a string value's length")
            if let text = bytes.utf8(at: range.lowerBound, byteCount: range.count) { return .string(text) }
            var raw: [UInt8] = []
            _ = bytes.append(at: range.lowerBound, byteCount: range.count, to: &raw)
            return .malformedString(raw)
        case .array: return .array(try array(depth: 1))
        }
    }

    /// Reads an array's head and checks its elements in one pass without keeping any of them.
    mutating func array(depth: Int) throws(GGUFError) -> GGUFArray {
        guard depth <= GGUFCursor.deepestArray else {
            throw error(.malformed, "arrays are nested more than \(GGUFCursor.deepestArray) deep")
        }
        let elementType = try valueType("an array's element type")
        let count = try count("an array's length", leastByteCount: elementType.leastByteCount(in: layout))
        let start = offset
        switch elementType {
        case .string:
            for _ in 0..<count { _ = try string("the length of a string in an array") }
        case .array:
            for _ in 0..<count { _ = try array(depth: depth + 1) }
        case .bool:
            for index in start..<start + count where bytes[index] > 1 { throw notBool(bytes[index], at: index) }
            offset += count
        default:
            // No overflow: `count` was bounded by the bytes left divided by the element's size.
            try skip(count * (elementType.fixedByteCount ?? 1), "an array's elements")
        }
        guard let payload = bytes.slice(at: start, byteCount: offset - start) else {
            throw error(.truncated, "the file ends inside an array", at: start)
        }
        return GGUFArray(
            elementType: elementType, count: count, payload: payload, layout: layout, fileOffset: base + start,
            depth: depth)
    }

    private func notBool(_ stored: UInt8, at position: Int) -> GGUFError {
        error(.invalidValue, "a bool is \(stored), neither 0 nor 1", at: position)
    }
}
