/// Halves to floats; as much from `ahead` on is asked for meanwhile.
func decodeHalves(
    _ source: UnsafePointer<UInt16>, _ count: Int, _ output: UnsafeMutablePointer<Float>, _ ahead: UnsafeRawPointer?
) {
    let from = UnsafeRawPointer(source)
    var i = 0
    if let ahead {
        while i &+ 32 <= count {
            prefetch(ahead + 2 &* i, byteCount: 64)
            for j in 0..<4 {
                let at = i &+ 8 &* j
                let eight = from.loadUnaligned(fromByteOffset: 2 &* at, as: SIMD8<UInt16>.self)
                UnsafeMutableRawPointer(output + at).storeBytes(of: floats(halves: eight), as: Floats.self)
            }
            i &+= 32
        }
    }
    while i &+ 8 <= count {
        let eight = from.loadUnaligned(fromByteOffset: 2 &* i, as: SIMD8<UInt16>.self)
        UnsafeMutableRawPointer(output + i).storeBytes(of: floats(halves: eight), as: Floats.self)
        i &+= 8
    }
    while i < count {
        output[i] = F16.loadOne(from + 2 &* i)
        i &+= 1
    }
}

/// Floats to halves, `stride` apart: rounded to nearest, ties to even. The steps are those of `Half.encode`, lane by lane.
func encodeHalves(_ source: UnsafePointer<Float>, _ count: Int, _ output: UnsafeMutablePointer<UInt16>, _ stride: Int) {
    var i = 0
    var target = output
    while i &+ 8 <= count {
        let eight = halves(UnsafeRawPointer(source + i).loadUnaligned(as: Words.self))
        if stride == 1 {
            UnsafeMutableRawPointer(target).storeBytes(of: eight, as: SIMD8<UInt16>.self)
        } else {
            for lane in 0..<8 { target[lane &* stride] = eight[lane] }
        }
        target += 8 &* stride
        i &+= 8
    }
    while i < count {
        target.pointee = halves(Words(repeating: Int32(bitPattern: source[i].bitPattern)))[0]
        target += stride
        i &+= 1
    }
}

/// The halves nearest to floats given as their bits.
@inline(__always)
private func halves(_ bits: Words) -> SIMD8<UInt16> {
    let sign = (bits &>> 16) & 0x8000
    let magnitude = bits & 0x7FFF_FFFF
    let odd = (magnitude &>> 13) & 1
    let normal = (magnitude &+ 0xFFF &+ odd &- 0x3800_0000) &>> 13
    // Below 2^-14 a step is 2^-24; adding 0.5, whose steps are 2^-24, makes the adder round.
    let small = unsafeBitCast(unsafeBitCast(magnitude, to: Floats.self) + 0.5, to: Words.self) &- 0x3F00_0000
    let quiet = 0x7E00 | ((magnitude &>> 13) & 0x3FF)
    var result = chosen(small, where: magnitude, isBelow: 0x3880_0000, otherwise: normal)
    // 65520 is halfway between the largest half and the next step.
    result = chosen(result, where: magnitude, isBelow: 0x477F_F000, otherwise: Words(repeating: 0x7C00))
    result = chosen(result, where: magnitude, isBelow: 0x7F80_0001, otherwise: quiet)
    return narrowed(sign | result)
}

/// Lanes of the first where x is below the limit, of the other elsewhere; both are small enough for the difference. By the sign
/// of x - limit: compilers take a `replacing(with:where:)` whose lanes are stored singly apart, lane by lane.
@inline(__always)
private func chosen(_ first: Words, where x: Words, isBelow limit: Int32, otherwise other: Words) -> Words {
    let mask = (x &- limit) &>> 31
    return other ^ ((first ^ other) & mask)
}
