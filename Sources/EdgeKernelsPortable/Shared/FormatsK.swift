// Superblocks of 256 values, in eight groups of 32. The layouts are described in EdgeQuant, whose decoders are the truth about
// them.

enum Q2K: BlockFormat {
    @inline(__always) static var byteCount: Int { 84 }
    @inline(__always) static var groupCount: Int { 8 }
    @inline(__always) static var unit: Int { 4 }
    @inline(__always) static var hasScales: Bool { true }
    @inline(__always) static var hasHalfScales: Bool { true }
    @inline(__always) static var halvesFitShorts: Bool { true }
    @inline(__always) static var hasMinimum: Bool { true }
    @inline(__always) static func codes(_ block: UnsafeRawPointer, group: Int) -> Bytes {
        let x = block.loadUnaligned(fromByteOffset: 16 &+ 32 &* (group / 4), as: Bytes.self)
        return shifted(x, right: 2 &* (group & 3), mask: 3)
    }
    @inline(__always) static func scales(_ block: UnsafeRawPointer) -> Shorts {
        shorts(block.loadUnaligned(as: SIMD2<UInt64>.self), right: 0, mask: 15)
    }
    @inline(__always) static func minimums(_ block: UnsafeRawPointer) -> Shorts {
        shorts(block.loadUnaligned(as: SIMD2<UInt64>.self), right: 4, mask: 15)
    }
    @inline(__always) static func factors(_ rows: EightPointers) -> Floats { gatherHalves(rows, 80) }
    @inline(__always) static func minimumFactors(_ rows: EightPointers) -> Floats { -gatherHalves(rows, 82) }
}

enum Q3K: BlockFormat {
    @inline(__always) static var byteCount: Int { 110 }
    @inline(__always) static var groupCount: Int { 8 }
    @inline(__always) static var unit: Int { 4 }
    @inline(__always) static var offset: Int16 { 4 }
    @inline(__always) static var hasScales: Bool { true }
    @inline(__always) static var hasHalfScales: Bool { true }
    @inline(__always) static var halvesFitShorts: Bool { true }
    @inline(__always) static func codes(_ block: UnsafeRawPointer, group: Int) -> Bytes {
        let low = block.loadUnaligned(fromByteOffset: 32 &+ 32 &* (group / 4), as: Bytes.self)
        let high = block.loadUnaligned(as: Bytes.self)
        return union(
            shifted(low, right: 2 &* (group & 3), mask: 3),
            group < 2
                ? shifted(high, left: 2 &- group, mask: 4) : shifted(high, right: group &- 2, mask: 4))
    }
    @inline(__always) static func scales(_ block: UnsafeRawPointer) -> Shorts {
        let low = block.loadUnaligned(fromByteOffset: 96, as: UInt64.self)
        let high = UInt64(block.loadUnaligned(fromByteOffset: 104, as: UInt32.self))
        let twoBits: UInt64 = 0x0303_0303
        let first = (high & twoBits) | (high &>> 2 & twoBits) &<< 32
        let second = (high &>> 4 & twoBits) | (high &>> 6 & twoBits) &<< 32
        let nibble: UInt64 = 0x0F0F_0F0F_0F0F_0F0F
        let all = SIMD2<UInt64>(low & nibble | first &<< 4, low &>> 4 & nibble | second &<< 4)
        return shorts(all, right: 0, mask: 63) &- Shorts(repeating: 32)
    }
    @inline(__always) static func factors(_ rows: EightPointers) -> Floats { gatherHalves(rows, 108) }
}

/// The six-bit scales and minimums of Q4_K and Q5_K, a byte each, from the 12 bytes at offset 4.
@inline(__always) private func sixBitScales(_ block: UnsafeRawPointer) -> UInt64 {
    let a = UInt64(block.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
    let c = UInt64(block.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
    return a & 0x3F3F_3F3F | (c & 0x0F0F_0F0F | (a &>> 2) & 0x3030_3030) &<< 32
}
@inline(__always) private func sixBitMinimums(_ block: UnsafeRawPointer) -> UInt64 {
    let b = UInt64(block.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
    let c = UInt64(block.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
    return b & 0x3F3F_3F3F | ((c &>> 4) & 0x0F0F_0F0F | (b &>> 2) & 0x3030_3030) &<< 32
}

enum Q4K: BlockFormat {
    @inline(__always) static var byteCount: Int { 144 }
    @inline(__always) static var groupCount: Int { 8 }
    @inline(__always) static var unit: Int { 8 }
    @inline(__always) static var hasScales: Bool { true }
    @inline(__always) static var hasMinimum: Bool { true }
    @inline(__always) static func codes(_ block: UnsafeRawPointer, group: Int) -> Bytes {
        let x = block.loadUnaligned(fromByteOffset: 16 &+ 32 &* (group / 2), as: Bytes.self)
        return shifted(x, right: 4 &* (group & 1), mask: 15)
    }
    @inline(__always) static func scales(_ block: UnsafeRawPointer) -> Shorts { shorts(twice: sixBitScales(block)) }
    @inline(__always) static func minimums(_ block: UnsafeRawPointer) -> Shorts {
        shorts(twice: sixBitMinimums(block))
    }
    @inline(__always) static func factors(_ rows: EightPointers) -> Floats { gatherHalves(rows, 0) }
    @inline(__always) static func minimumFactors(_ rows: EightPointers) -> Floats { -gatherHalves(rows, 2) }
}

enum Q5K: BlockFormat {
    @inline(__always) static var byteCount: Int { 176 }
    @inline(__always) static var groupCount: Int { 8 }
    @inline(__always) static var unit: Int { 4 }
    @inline(__always) static var hasScales: Bool { true }
    @inline(__always) static var hasMinimum: Bool { true }
    @inline(__always) static func codes(_ block: UnsafeRawPointer, group: Int) -> Bytes {
        let x = block.loadUnaligned(fromByteOffset: 48 &+ 32 &* (group / 2), as: Bytes.self)
        let high = block.loadUnaligned(fromByteOffset: 16, as: Bytes.self)
        return union(
            shifted(x, right: 4 &* (group & 1), mask: 15),
            group < 4
                ? shifted(high, left: 4 &- group, mask: 16) : shifted(high, right: group &- 4, mask: 16))
    }
    @inline(__always) static func scales(_ block: UnsafeRawPointer) -> Shorts { shorts(twice: sixBitScales(block)) }
    @inline(__always) static func minimums(_ block: UnsafeRawPointer) -> Shorts {
        shorts(twice: sixBitMinimums(block))
    }
    @inline(__always) static func factors(_ rows: EightPointers) -> Floats { gatherHalves(rows, 0) }
    @inline(__always) static func minimumFactors(_ rows: EightPointers) -> Floats { -gatherHalves(rows, 2) }
}

enum Q6K: BlockFormat {
    @inline(__always) static var byteCount: Int { 210 }
    @inline(__always) static var groupCount: Int { 8 }
    @inline(__always) static var unit: Int { 2 }
    @inline(__always) static var offset: Int16 { 32 }
    @inline(__always) static var hasScales: Bool { true }
    @inline(__always) static var hasHalfScales: Bool { true }
    @inline(__always) static func codes(_ block: UnsafeRawPointer, group: Int) -> Bytes {
        let half = group / 4
        let k = group & 3
        let low = block.loadUnaligned(fromByteOffset: 64 &* half &+ 32 &* (k & 1), as: Bytes.self)
        let high = block.loadUnaligned(fromByteOffset: 128 &+ 32 &* half, as: Bytes.self)
        return union(
            shifted(low, right: 4 &* (k / 2), mask: 15),
            k < 3 ? shifted(high, left: 4 &- 2 &* k, mask: 48) : shifted(high, right: 2, mask: 48))
    }
    @inline(__always) static func scales(_ block: UnsafeRawPointer) -> Shorts {
        shorts(block.loadUnaligned(fromByteOffset: 192, as: SIMD16<Int8>.self))
    }
    @inline(__always) static func factors(_ rows: EightPointers) -> Floats { gatherHalves(rows, 208) }
}

enum IQ4XS: BlockFormat {
    @inline(__always) static var byteCount: Int { 136 }
    @inline(__always) static var groupCount: Int { 8 }
    @inline(__always) static var unit: Int { 1 }
    @inline(__always) static var isSigned: Bool { true }
    @inline(__always) static var hasScales: Bool { true }
    @inline(__always) static func codes(_ block: UnsafeRawPointer, group: Int) -> Bytes {
        lookUp(iq4Table, nibbles(block + (8 &+ 16 &* group)))
    }
    @inline(__always) static func scales(_ block: UnsafeRawPointer) -> Shorts {
        // Four bits, and two more, of each group, moved apart to a byte each.
        var low = UInt64(block.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        low = (low | low &<< 16) & 0x0000_FFFF_0000_FFFF
        low = (low | low &<< 8) & 0x00FF_00FF_00FF_00FF
        low = (low | low &<< 4) & 0x0F0F_0F0F_0F0F_0F0F
        var high = UInt64(block.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        high = (high | high &<< 24) & 0x0000_00FF_0000_00FF
        high = (high | high &<< 12) & 0x000F_000F_000F_000F
        high = (high | high &<< 6) & 0x0303_0303_0303_0303
        return shorts(twice: low | high &<< 4) &- Shorts(repeating: 32)
    }
    @inline(__always) static func factors(_ rows: EightPointers) -> Floats { gatherHalves(rows, 0) }
}

enum TQ10: BlockFormat {
    @inline(__always) static var byteCount: Int { 54 }
    @inline(__always) static var groupCount: Int { 8 }
    @inline(__always) static var unit: Int { 32 }
    @inline(__always) static var offset: Int16 { 1 }
    @inline(__always) static func codes(_ block: UnsafeRawPointer, group: Int) -> Bytes {
        typealias Powers = SIMD16<UInt16>
        switch group {
        case 0: return trits(block.loadUnaligned(as: Bytes.self), Powers(repeating: 1))
        case 1: return trits(block.loadUnaligned(as: Bytes.self), Powers(repeating: 3))
        case 2: return trits(block.loadUnaligned(as: Bytes.self), Powers(repeating: 9))
        case 3: return trits(block.loadUnaligned(as: Bytes.self), Powers(repeating: 27))
        case 4: return trits(block.loadUnaligned(as: Bytes.self), Powers(repeating: 81))
        case 5: return trits(loadTwice(block + 32), Powers(1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 3))
        case 6: return trits(loadTwice(block + 32), Powers(9, 9, 9, 9, 9, 9, 9, 9, 27, 27, 27, 27, 27, 27, 27, 27))
        default:
            let x = block.loadUnaligned(fromByteOffset: 32, as: SIMD2<UInt64>.self)
            let rest = UInt64(block.loadUnaligned(fromByteOffset: 48, as: UInt32.self))
            let twice = rest | rest &<< 32
            return trits(
                unsafeBitCast(SIMD4<UInt64>(x[0], x[1], twice, twice), to: Bytes.self),
                Powers(81, 81, 81, 81, 81, 81, 81, 81, 1, 1, 3, 3, 9, 9, 27, 27))
        }
    }
    @inline(__always) static func factors(_ rows: EightPointers) -> Floats { gatherHalves(rows, 52) }
}

enum TQ20: BlockFormat {
    @inline(__always) static var byteCount: Int { 66 }
    @inline(__always) static var groupCount: Int { 8 }
    @inline(__always) static var unit: Int { 32 }
    @inline(__always) static var offset: Int16 { 1 }
    @inline(__always) static func codes(_ block: UnsafeRawPointer, group: Int) -> Bytes {
        let x = block.loadUnaligned(fromByteOffset: 32 &* (group / 4), as: Bytes.self)
        return shifted(x, right: 2 &* (group & 3), mask: 3)
    }
    @inline(__always) static func factors(_ rows: EightPointers) -> Floats { gatherHalves(rows, 64) }
}
