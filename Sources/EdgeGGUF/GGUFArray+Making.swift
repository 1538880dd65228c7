import EdgePlatform

/// A Swift type that GGUF stores as a value of fixed size.
package protocol GGUFScalar {
    static var valueType: GGUFValueType { get }
    associatedtype Stored: FixedWidthInteger
    /// The bits that are stored.
    var stored: Stored { get }
}

extension GGUFScalar where Self: FixedWidthInteger {
    package var stored: Self { self }
}

extension UInt8: GGUFScalar { package static var valueType: GGUFValueType { .uint8 } }
extension Int8: GGUFScalar { package static var valueType: GGUFValueType { .int8 } }
extension UInt16: GGUFScalar { package static var valueType: GGUFValueType { .uint16 } }
extension Int16: GGUFScalar { package static var valueType: GGUFValueType { .int16 } }
extension UInt32: GGUFScalar { package static var valueType: GGUFValueType { .uint32 } }
extension Int32: GGUFScalar { package static var valueType: GGUFValueType { .int32 } }
extension UInt64: GGUFScalar { package static var valueType: GGUFValueType { .uint64 } }
extension Int64: GGUFScalar { package static var valueType: GGUFValueType { .int64 } }
extension Float: GGUFScalar {
    package static var valueType: GGUFValueType { .float32 }
    package var stored: UInt32 { bitPattern }
}
extension Double: GGUFScalar {
    package static var valueType: GGUFValueType { .float64 }
    package var stored: UInt64 { bitPattern }
}
extension Bool: GGUFScalar {
    package static var valueType: GGUFValueType { .bool }
    package var stored: UInt8 { self ? 1 : 0 }
}

extension GGUFArray {
    /// An array of numbers or bools.
    package init<T: GGUFScalar>(_ values: [T]) {
        var encoder = GGUFEncoder(layout: .current)
        encoder.bytes.reserveCapacity(values.count * MemoryLayout<T.Stored>.size)
        for value in values { encoder.put(value.stored) }
        self.init(made: T.valueType, count: values.count, encoder.bytes)
    }

    /// An array of strings.
    package init(_ strings: [String]) {
        var encoder = GGUFEncoder(layout: .current)
        for string in strings { encoder.put(string) }
        self.init(made: .string, count: strings.count, encoder.bytes)
    }

    /// An array of strings of any bytes, such as tokens.
    package init(byteStrings: [[UInt8]]) {
        var encoder = GGUFEncoder(layout: .current)
        for string in byteStrings { encoder.put(string: string) }
        self.init(made: .string, count: byteStrings.count, encoder.bytes)
    }

    /// An array of arrays, which may differ in their element types.
    package init(_ arrays: [GGUFArray]) {
        var encoder = GGUFEncoder(layout: .current)
        for array in arrays { encoder.put(array) }
        self.init(made: .array, count: arrays.count, encoder.bytes)
    }

    private init(made type: GGUFValueType, count: Int, _ bytes: [UInt8]) {
        self.init(
            elementType: type, count: count, payload: ByteView(bytes), layout: .current, fileOffset: 0, depth: 1)
    }
}

/// Two values are equal when a file would hold the same type and the same bits; so a NaN equals itself.
extension GGUFValue: Equatable {
    package static func == (left: GGUFValue, right: GGUFValue) -> Bool {
        guard left.type == right.type else { return false }
        return left.encoded == right.encoded
    }

    private var encoded: [UInt8] {
        var encoder = GGUFEncoder(layout: .current)
        encoder.put(self)
        return encoder.bytes
    }
}

/// Equal element types and equal elements, whatever the layout of the files they come from.
extension GGUFArray: Equatable {
    package static func == (left: GGUFArray, right: GGUFArray) -> Bool {
        left.elementType == right.elementType && left.count == right.count
            && GGUFValue.array(left) == GGUFValue.array(right)
    }
}
