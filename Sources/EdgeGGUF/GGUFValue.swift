/// A metadata value as the file types it.
package enum GGUFValue: Sendable {
    case uint8(UInt8)
    case int8(Int8)
    case uint16(UInt16)
    case int16(Int16)
    case uint32(UInt32)
    case int32(Int32)
    case float32(Float)
    case bool(Bool)
    case string(String)
    /// A string whose bytes are no valid UTF-8, kept as they are; `text` repairs it.
    case malformedString([UInt8])
    /// Boxed, so that a million small values stay small.
    indirect case array(GGUFArray)
    case uint64(UInt64)
    case int64(Int64)
    case float64(Double)

    package var type: GGUFValueType {
        switch self {
        case .uint8: .uint8
        case .int8: .int8
        case .uint16: .uint16
        case .int16: .int16
        case .uint32: .uint32
        case .int32: .int32
        case .float32: .float32
        case .bool: .bool
        case .string, .malformedString: .string
        case .array: .array
        case .uint64: .uint64
        case .int64: .int64
        case .float64: .float64
        }
    }

    /// The type in words, such as `u32` or `arr[str]`.
    package var typeName: String {
        if case .array(let array) = self { return array.typeName }
        return type.name
    }

    /// The value of any integer type, or nil for other types and numbers beyond `Int`.
    package var int: Int? {
        switch self {
        case .uint8(let value): Int(value)
        case .int8(let value): Int(value)
        case .uint16(let value): Int(value)
        case .int16(let value): Int(value)
        case .uint32(let value): Int(exactly: value)
        case .int32(let value): Int(exactly: value)
        case .uint64(let value): Int(exactly: value)
        case .int64(let value): Int(exactly: value)
        case .float32, .float64, .bool, .string, .malformedString, .array: nil
        }
    }

    /// Whether the type is one of the eight integer types.
    package var isInteger: Bool {
        switch self {
        case .uint8, .int8, .uint16, .int16, .uint32, .int32, .uint64, .int64: true
        case .float32, .float64, .bool, .string, .malformedString, .array: false
        }
    }

    /// The value of either floating-point type.
    package var float: Float? {
        switch self {
        case .float32(let value): value
        case .float64(let value): Float(value)
        default: nil
        }
    }

    package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }

    /// The text of a string, bytes that are no UTF-8 replaced by U+FFFD.
    package var text: String? {
        switch self {
        case .string(let value): value
        case .malformedString(let bytes): String(decoding: bytes, as: UTF8.self)
        default: nil
        }
    }

    package var array: GGUFArray? { if case .array(let value) = self { value } else { nil } }
}
