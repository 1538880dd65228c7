import EdgeGGUF
import EdgePlatform

/// Where the numbers of a valid header stand, so that mutations can aim at them.
///
/// A plain walk, written apart from the reader. It trusts its input, which is a start file that parses, and stops early
/// where something does not fit.
struct FieldMap {
    struct Field {
        let offset: Int
        let byteCount: Int
    }

    /// Counts, lengths, types, dimensions, offsets and scalar values.
    private(set) var fields: [Field] = []
    /// The metadata pairs, each from its key's length to the end of its value.
    private(set) var pairs: [Range<Int>] = []
    /// The entries of the tensor directory.
    private(set) var tensors: [Range<Int>] = []
    let isBigEndian: Bool
    /// Bytes of a count.
    let width: Int
    /// Where the number of tensors and the number of pairs stand.
    var tensorCount: Field { Field(offset: 8, byteCount: width) }
    var pairCount: Field { Field(offset: 8 + width, byteCount: width) }

    private let bytes: [UInt8]
    private var offset = 4

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        isBigEndian = bytes.count > 7 && bytes[4] == 0
        width = bytes.count > 7 && max(bytes[4], bytes[7]) == 1 ? 4 : 8
        _ = number(4)
        let tensorCount = number(width)
        let pairCount = number(width)
        for _ in 0..<min(pairCount, bytes.count) {
            let start = offset
            skip(number(width))
            value(number(4), depth: 0)
            guard offset <= bytes.count else { return }
            pairs.append(start..<offset)
        }
        for _ in 0..<min(tensorCount, bytes.count) {
            let start = offset
            skip(number(width))
            for _ in 0..<min(number(4), 4) { _ = number(width) }
            _ = number(4)
            _ = number(8)
            guard offset <= bytes.count else { return }
            tensors.append(start..<offset)
        }
    }

    /// The value at a field.
    func read(_ field: Field, in bytes: [UInt8]) -> UInt64 {
        var value: UInt64 = 0
        for step in 0..<field.byteCount {
            let index = field.offset + (isBigEndian ? step : field.byteCount - 1 - step)
            value = value << 8 | UInt64(index < bytes.count ? bytes[index] : 0)
        }
        return value
    }

    /// Sets the value at a field.
    func write(_ value: UInt64, to field: Field, in bytes: inout [UInt8]) {
        for step in 0..<field.byteCount {
            let index = field.offset + (isBigEndian ? field.byteCount - 1 - step : step)
            if index < bytes.count { bytes[index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * step)) }
        }
    }

    private mutating func number(_ byteCount: Int) -> Int {
        let field = Field(offset: offset, byteCount: byteCount)
        offset += byteCount
        guard offset <= bytes.count else { return 0 }
        fields.append(field)
        return Int(truncatingIfNeeded: read(field, in: bytes) & 0x7FFF_FFFF_FFFF_FFFF)
    }

    private mutating func skip(_ count: Int) { offset += min(count, bytes.count) }

    private mutating func value(_ type: Int, depth: Int) {
        switch type {
        case 0, 1, 7: _ = number(1)
        case 2, 3: _ = number(2)
        case 4, 5, 6: _ = number(4)
        case 8: skip(number(width))
        case 9 where depth < 20:
            let element = number(4)
            let count = number(width)
            for _ in 0..<min(count, bytes.count) where offset <= bytes.count { value(element, depth: depth + 1) }
        default: _ = number(8)
        }
    }
}
