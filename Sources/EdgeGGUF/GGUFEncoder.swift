import EdgePlatform

/// Builds the bytes of a header in a given layout: the mirror image of `GGUFCursor`.
struct GGUFEncoder {
    let layout: GGUFLayout
    var bytes: [UInt8] = []
    /// The first count that the layout cannot hold; version 1 has 32 bits for it.
    private(set) var oversizedCount: Int?

    init(layout: GGUFLayout) { self.layout = layout }

    mutating func put<T: FixedWidthInteger>(_ value: T) {
        var rest = layout.isBigEndian ? value.byteSwapped : value
        for _ in 0..<MemoryLayout<T>.size {
            bytes.append(UInt8(truncatingIfNeeded: rest))
            rest = T.bitWidth > 8 ? rest >> 8 : 0
        }
    }

    mutating func put(count: Int) {
        if layout.version == 1 {
            if UInt32(exactly: count) == nil, oversizedCount == nil { oversizedCount = count }
            put(UInt32(truncatingIfNeeded: count))
        } else {
            put(UInt64(truncatingIfNeeded: count))
        }
    }

    mutating func put(_ text: String) {
        put(count: text.utf8.count)
        bytes.append(contentsOf: text.utf8)
    }

    mutating func put(string: [UInt8]) {
        put(count: string.count)
        bytes.append(contentsOf: string)
    }

    /// A value without its type.
    mutating func put(_ value: GGUFValue) {
        switch value {
        case .uint8(let value): put(value)
        case .int8(let value): put(value)
        case .uint16(let value): put(value)
        case .int16(let value): put(value)
        case .uint32(let value): put(value)
        case .int32(let value): put(value)
        case .float32(let value): put(value.bitPattern)
        case .bool(let value): put(UInt8(value ? 1 : 0))
        case .string(let value): put(value)
        case .malformedString(let value): put(string: value)
        case .array(let value): put(value)
        case .uint64(let value): put(value)
        case .int64(let value): put(value)
        case .float64(let value): put(value.bitPattern)
        }
    }

    /// An array with its head. Elements that lie in memory as they must in the file are copied as a whole.
    mutating func put(_ array: GGUFArray) {
        put(array.elementType.rawValue)
        put(count: array.count)
        let isSameOrder = array.layout.isBigEndian == layout.isBigEndian
        let isSameWidth = array.layout.countByteCount == layout.countByteCount
        let payload = array.payload
        if isSameOrder, isSameWidth || array.elementType.fixedByteCount != nil {
            _ = payload.append(at: 0, byteCount: payload.count, to: &bytes)
            return
        }
        switch array.elementType {
        case .string:
            var cursor = GGUFCursor(payload, layout: array.layout, path: "")
            // The reader or the maker of the array has checked the lengths; were one wrong, the count of elements would be
            // too, and reading the result would say so.
            while cursor.remaining > 0, let range = try? cursor.string("a string") {
                put(count: range.count)
                _ = payload.append(at: range.lowerBound, byteCount: range.count, to: &bytes)
            }
        case .array:
            for inner in array.arrays() ?? [] { put(inner) }
        default:
            switch array.elementType.fixedByteCount {
            case 2: for value in array.integers(UInt16.self) ?? [] { put(value) }
            case 4: for value in array.integers(UInt32.self) ?? [] { put(value) }
            case 8: for value in array.integers(UInt64.self) ?? [] { put(value) }
            default: _ = payload.append(at: 0, byteCount: payload.count, to: &bytes)
            }
        }
    }

    /// Zeros up to the next multiple of the alignment.
    mutating func pad(to alignment: Int) {
        bytes.append(contentsOf: repeatElement(0, count: GGUFEncoder.padding(bytes.count, alignment)))
    }

    /// The bytes missing to the next multiple of the alignment.
    static func padding(_ count: Int, _ alignment: Int) -> Int {
        let over = count % alignment
        return over == 0 ? 0 : alignment - over
    }
}
