// Blocks of 32 values. The layouts are described in EdgeQuant, whose decoders are the truth about them.

enum Q40: BlockFormat {
    @inline(__always) static var byteCount: Int { 18 }
    @inline(__always) static var groupCount: Int { 1 }
    @inline(__always) static var unit: Int { 8 }
    @inline(__always) static var offset: Int16 { 8 }
    @inline(__always) static func codes(_ block: UnsafeRawPointer, group: Int) -> Bytes { nibbles(block + 2) }
    @inline(__always) static func factors(_ rows: EightPointers) -> Floats { gatherHalves(rows, 0) }
}

enum Q41: BlockFormat {
    @inline(__always) static var byteCount: Int { 20 }
    @inline(__always) static var groupCount: Int { 1 }
    @inline(__always) static var unit: Int { 8 }
    @inline(__always) static var hasMinimum: Bool { true }
    @inline(__always) static func codes(_ block: UnsafeRawPointer, group: Int) -> Bytes { nibbles(block + 4) }
    @inline(__always) static func factors(_ rows: EightPointers) -> Floats { gatherHalves(rows, 0) }
    @inline(__always) static func minimumFactors(_ rows: EightPointers) -> Floats { gatherHalves(rows, 2) }
}

enum Q50: BlockFormat {
    @inline(__always) static var byteCount: Int { 22 }
    @inline(__always) static var groupCount: Int { 1 }
    @inline(__always) static var unit: Int { 4 }
    @inline(__always) static var offset: Int16 { 16 }
    @inline(__always) static func codes(_ block: UnsafeRawPointer, group: Int) -> Bytes {
        let high = block.loadUnaligned(fromByteOffset: 2, as: UInt32.self)
        return union(nibbles(block + 6), spreadBits(high, value: 16))
    }
    @inline(__always) static func factors(_ rows: EightPointers) -> Floats { gatherHalves(rows, 0) }
}

enum Q51: BlockFormat {
    @inline(__always) static var byteCount: Int { 24 }
    @inline(__always) static var groupCount: Int { 1 }
    @inline(__always) static var unit: Int { 4 }
    @inline(__always) static var hasMinimum: Bool { true }
    @inline(__always) static func codes(_ block: UnsafeRawPointer, group: Int) -> Bytes {
        let high = block.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
        return union(nibbles(block + 8), spreadBits(high, value: 16))
    }
    @inline(__always) static func factors(_ rows: EightPointers) -> Floats { gatherHalves(rows, 0) }
    @inline(__always) static func minimumFactors(_ rows: EightPointers) -> Floats { gatherHalves(rows, 2) }
}

enum Q80: BlockFormat {
    @inline(__always) static var byteCount: Int { 34 }
    @inline(__always) static var groupCount: Int { 1 }
    @inline(__always) static var unit: Int { 1 }
    @inline(__always) static var isSigned: Bool { true }
    @inline(__always) static func codes(_ block: UnsafeRawPointer, group: Int) -> Bytes {
        block.loadUnaligned(fromByteOffset: 2, as: Bytes.self)
    }
    @inline(__always) static func factors(_ rows: EightPointers) -> Floats { gatherHalves(rows, 0) }
}

/// The non-linear grid of IQ4.
@inline(__always) var iq4Table: SIMD16<Int8> {
    SIMD16(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)
}

enum IQ4NL: BlockFormat {
    @inline(__always) static var byteCount: Int { 18 }
    @inline(__always) static var groupCount: Int { 1 }
    @inline(__always) static var unit: Int { 1 }
    @inline(__always) static var isSigned: Bool { true }
    @inline(__always) static func codes(_ block: UnsafeRawPointer, group: Int) -> Bytes {
        lookUp(iq4Table, nibbles(block + 2))
    }
    @inline(__always) static func factors(_ rows: EightPointers) -> Floats { gatherHalves(rows, 0) }
}

/// Codes are twice the FP4 number plus 12, so that they are unsigned.
enum MXFP4: BlockFormat {
    @inline(__always) static var byteCount: Int { 17 }
    @inline(__always) static var groupCount: Int { 1 }
    @inline(__always) static var unit: Int { 4 }
    @inline(__always) static var offset: Int16 { 12 }
    @inline(__always) static func codes(_ block: UnsafeRawPointer, group: Int) -> Bytes {
        let table = SIMD16<Int8>(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0)
        return lookUp(table, nibbles(block + 1))
    }
    /// 2^(e - 128): exponents 0 and 1 give subnormals.
    @inline(__always) static func factors(_ p: EightPointers) -> Floats {
        @inline(__always) func exponent(_ p: UnsafeRawPointer) -> UInt32 { UInt32(p.load(as: UInt8.self)) }
        let e = SIMD8<UInt32>(
            exponent(p.0), exponent(p.1), exponent(p.2), exponent(p.3), exponent(p.4), exponent(p.5), exponent(p.6),
            exponent(p.7))
        let isSmall = unsafeBitCast(unsafeBitCast(e &- 2, to: Words.self) &>> 31, to: SIMD8<UInt32>.self)
        let small = SIMD8<UInt32>(repeating: 0x0020_0000) &<< (e & 1)
        return unsafeBitCast(isSmall & small | ~isSmall & ((e &- 1) &<< 23), to: Floats.self)
    }
}
