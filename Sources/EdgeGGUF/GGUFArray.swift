import EdgePlatform

/// An array of metadata values, left in the mapped file until somebody asks for its elements.
///
/// The reader has checked the element type, the count and every length inside; the accessors decode in one linear pass
/// and allocate no more than their result. Each returns nil when the elements are of another kind.
package struct GGUFArray: Sendable {
    package let elementType: GGUFValueType
    /// The number of elements.
    package let count: Int
    /// The bytes of the elements, in the order and widths of `layout`.
    let payload: ByteView
    let layout: GGUFLayout
    /// Where the elements begin in the file, 0 for arrays made in memory.
    package let fileOffset: Int
    /// 1 for the array that is a key's value, 2 for its elements, and so on.
    let depth: Int

    /// The type in words, such as `arr[str]`.
    package var typeName: String { "arr[\(elementType.name)]" }

    /// The elements of any integer type, or nil for other types and when one is beyond `Int`.
    package func ints() -> [Int]? {
        switch elementType {
        case .uint8: integers(UInt8.self)?.map { Int($0) }
        case .int8: integers(Int8.self)?.map { Int($0) }
        case .uint16: integers(UInt16.self)?.map { Int($0) }
        case .int16: integers(Int16.self)?.map { Int($0) }
        case .uint32: integers(UInt32.self).flatMap { GGUFArray.converted($0) }
        case .int32: integers(Int32.self).flatMap { GGUFArray.converted($0) }
        case .uint64: integers(UInt64.self).flatMap { GGUFArray.converted($0) }
        case .int64: integers(Int64.self).flatMap { GGUFArray.converted($0) }
        case .float32, .float64, .bool, .string, .array: nil
        }
    }

    /// The elements of type u64, which `ints` cannot hold all of; nil for other types.
    package func uint64s() -> [UInt64]? { elementType == .uint64 ? integers(UInt64.self) : nil }

    /// The elements of any integer type, or nil for other types and when one is beyond `Int32`.
    package func int32s() -> [Int32]? {
        switch elementType {
        case .int32: integers(Int32.self)
        case .uint32: integers(UInt32.self).flatMap { GGUFArray.converted($0) }
        default: ints().flatMap { GGUFArray.converted($0) }
        }
    }

    /// The elements of either floating-point type.
    package func floats() -> [Float]? {
        switch elementType {
        case .float32: integers(UInt32.self)?.map { Float(bitPattern: $0) }
        case .float64: integers(UInt64.self)?.map { Float(Double(bitPattern: $0)) }
        default: nil
        }
    }

    /// The elements of either floating-point type, unrounded.
    package func doubles() -> [Double]? {
        switch elementType {
        case .float32: integers(UInt32.self)?.map { Double(Float(bitPattern: $0)) }
        case .float64: integers(UInt64.self)?.map { Double(bitPattern: $0) }
        default: nil
        }
    }

    package func bools() -> [Bool]? {
        elementType == .bool ? integers(UInt8.self)?.map { $0 != 0 } : nil
    }

    /// The texts; bytes that are no UTF-8 are replaced by U+FFFD. `packedStrings` keeps them.
    package func strings() -> [String]? {
        guard elementType == .string else { return nil }
        var cursor = GGUFCursor(payload, layout: layout, path: "", base: fileOffset)
        var result: [String] = []
        result.reserveCapacity(count)
        for _ in 0..<count {
            guard let range = try? cursor.string("a string"), let part = payload.slice(range) else { return nil }
            result.append(part.utf8 ?? String(decoding: part.copied(), as: UTF8.self))
        }
        return result
    }

    /// All strings in one buffer: string `i` is `bytes[ends[i - 1]..<ends[i]]`, the first starts at 0.
    ///
    /// Two allocations for any number of strings, bytes exactly as stored: the way to load a vocabulary.
    /// - Throws: `wrongMetadataType` when the elements are no strings.
    package func packedStrings() throws(GGUFError) -> (bytes: [UInt8], ends: [Int]) {
        var cursor = GGUFCursor(payload, layout: layout, path: "", base: fileOffset)
        guard elementType == .string else {
            throw cursor.error(.wrongMetadataType, "the array holds \(elementType.name), not strings")
        }
        var bytes: [UInt8] = []
        var ends: [Int] = []
        bytes.reserveCapacity(max(0, payload.count - count * layout.countByteCount))
        ends.reserveCapacity(count)
        for _ in 0..<count {
            let range = try cursor.string("the length of a string in an array")
            guard payload.append(at: range.lowerBound, byteCount: range.count, to: &bytes) else {
                throw cursor.error(.truncated, "the file ends inside an array")
            }
            ends.append(bytes.count)
        }
        return (bytes, ends)
    }

    /// The elements of an array of arrays.
    package func arrays() -> [GGUFArray]? {
        guard elementType == .array else { return nil }
        var cursor = GGUFCursor(payload, layout: layout, path: "", base: fileOffset)
        var result: [GGUFArray] = []
        for _ in 0..<count {
            guard let element = try? cursor.array(depth: depth + 1) else { return nil }
            result.append(element)
        }
        return result
    }

    /// The stored numbers in this machine's order; the caller has matched the width with the element type.
    func integers<T: FixedWidthInteger>(_ type: T.Type) -> [T]? {
        guard payload.count == count * MemoryLayout<T>.size else { return nil }
        var result: [T] = []
        result.reserveCapacity(count)
        for index in 0..<count {
            guard let stored = payload.load(T.self, at: index * MemoryLayout<T>.size) else { return nil }
            result.append(layout.native(stored))
        }
        return result
    }

    private static func converted<From: FixedWidthInteger, To: FixedWidthInteger>(_ values: [From]) -> [To]? {
        var result: [To] = []
        result.reserveCapacity(values.count)
        for value in values {
            guard let exact = To(exactly: value) else { return nil }
            result.append(exact)
        }
        return result
    }
}
