internal import EdgeKernelJobs

// The tile of sixteen rows by four tokens, for sixteen registers of 256 bits: see `Panel.swift`.

extension BlockFormat {
    /// What scales are multiplied by for the correction, which is subtracted here.
    @inline(__always) static var correction: Int16 { isSigned && tilesAreUnsigned ? 128 : offset }
    /// Each scale comes as (s, s), two s16.
    @inline(__always) static var scaleCount: Int { hasScales ? (hasHalfScales ? 16 : 8) : 0 }
    @inline(__always) static func panelCodes(_ block: UnsafeRawPointer, group: Int) -> Bytes {
        let codes = codes(block, group: group)
        guard isSigned, tilesAreUnsigned else { return codes }
        let x = unsafeBitCast(codes, to: SIMD4<UInt64>.self) ^ SIMD4(repeating: 0x8080_8080_8080_8080)
        return unsafeBitCast(x, to: Bytes.self)
    }
    /// Words of four products that are added before their scale comes.
    @inline(__always) fileprivate static var span: Int {
        tileUnit(unit, hasScales: hasScales, hasHalfScales: hasHalfScales)
    }
    @inline(__always)
    fileprivate static func added(_ sum: Products, _ codes: Bytes, _ activations: Bytes) -> Products {
        isSigned && !tilesAreUnsigned
            ? adding(sum, signed: codes, activations) : adding(sum, codes, activations)
    }
}

/// The low or the high short of each word, twice.
@inline(__always) private func lowTwice(_ x: Words) -> Words { x & 0xFFFF | x &<< 16 }
@inline(__always) private func highTwice(_ x: Words) -> Words {
    let high = unsafeBitCast(x, to: SIMD8<UInt32>.self) &>> 16
    return unsafeBitCast(high | high &<< 16, to: Words.self)
}

/// Stores the scales of eight rows, a column for the two halves of a group.
@inline(__always)
func storeScales<F: BlockFormat>(_ format: F.Type, _ columns: EightWords, _ at: UnsafeMutableRawPointer) {
    if F.hasHalfScales {
        storeColumns(
            (
                lowTwice(columns.0), lowTwice(columns.1), lowTwice(columns.2), lowTwice(columns.3),
                lowTwice(columns.4), lowTwice(columns.5), lowTwice(columns.6), lowTwice(columns.7)
            ), at, stride: 128)
        storeColumns(
            (
                highTwice(columns.0), highTwice(columns.1), highTwice(columns.2), highTwice(columns.3),
                highTwice(columns.4), highTwice(columns.5), highTwice(columns.6), highTwice(columns.7)
            ), at + 64, stride: 128)
    } else {
        storeColumns(columns, at, stride: 64)
    }
}

/// A panel of 16 rows by four tokens that follow one another; `acc` is room for [4 tokens][16 rows] running sums.
@inline(__always)
func tile<F: BlockFormat>(
    _ format: F.Type, panel: UnsafeRawPointer, blocks: Int, _ j: ProductJob, token: Int, acc: UnsafeMutableRawPointer,
    next: UnsafeRawPointer?
) {
    var ahead = next
    let stride = j.codeStride
    var c = j.codes + token &* stride
    var scales = UnsafeRawPointer(j.scales + token &* j.scaleStride)
    let scaleStride = 4 &* j.scaleStride
    var sums = UnsafeRawPointer(j.sums + token &* j.sumStride)
    let sumStride = 2 &* j.sumStride
    var x00 = Floats(), x01 = Floats(), x10 = Floats(), x11 = Floats()
    var x20 = Floats(), x21 = Floats(), x30 = Floats(), x31 = Floats()
    var p = panel
    for _ in 0..<blocks {
        if let p = ahead {
            prefetch(p, byteCount: 8 &* F.byteCount)
            ahead = p + 8 &* F.byteCount
        }
        var i00 = Words(), i01 = Words(), i10 = Words(), i11 = Words()
        var i20 = Words(), i21 = Words(), i30 = Words(), i31 = Words()
        var w = p
        for unit in 0..<8 &* F.groupCount / F.span {
            var s00 = Products(), s01 = Products(), s10 = Products(), s11 = Products()
            var s20 = Products(), s21 = Products(), s30 = Products(), s31 = Products()
            for _ in 0..<F.span {
                let low = w.load(as: Bytes.self)
                let high = w.load(fromByteOffset: 32, as: Bytes.self)
                let a0 = repeated(c)
                s00 = F.added(s00, low, a0)
                s01 = F.added(s01, high, a0)
                let a1 = repeated(c + stride)
                s10 = F.added(s10, low, a1)
                s11 = F.added(s11, high, a1)
                let a2 = repeated(c + 2 &* stride)
                s20 = F.added(s20, low, a2)
                s21 = F.added(s21, high, a2)
                let a3 = repeated(c + 3 &* stride)
                s30 = F.added(s30, low, a3)
                s31 = F.added(s31, high, a3)
                w += 64
                c += 4
            }
            var low = Shorts(repeating: 1)
            var high = Shorts(repeating: 1)
            if F.hasScales {
                let at = F.scaleOffset &+ 64 &* (unit &* F.span / (F.hasHalfScales ? 4 : 8))
                low = p.load(fromByteOffset: at, as: Shorts.self)
                high = p.load(fromByteOffset: at &+ 32, as: Shorts.self)
            }
            i00 &+= widen(s00, low)
            i01 &+= widen(s01, high)
            i10 &+= widen(s10, low)
            i11 &+= widen(s11, high)
            i20 &+= widen(s20, low)
            i21 &+= widen(s21, high)
            i30 &+= widen(s30, low)
            i31 &+= widen(s31, high)
        }
        finish(F.self, p, sums, scales, i00, i01, &x00, &x01)
        finish(F.self, p, sums + sumStride, scales + scaleStride, i10, i11, &x10, &x11)
        finish(F.self, p, sums + 2 &* sumStride, scales + 2 &* scaleStride, i20, i21, &x20, &x21)
        finish(F.self, p, sums + 3 &* sumStride, scales + 3 &* scaleStride, i30, i31, &x30, &x31)
        sums += 4 &* F.groupCount
        scales += 4
        p += F.panelBlockBytes
    }
    acc.storeBytes(of: x00, as: Floats.self)
    acc.storeBytes(of: x01, toByteOffset: 32, as: Floats.self)
    acc.storeBytes(of: x10, toByteOffset: 64, as: Floats.self)
    acc.storeBytes(of: x11, toByteOffset: 96, as: Floats.self)
    acc.storeBytes(of: x20, toByteOffset: 128, as: Floats.self)
    acc.storeBytes(of: x21, toByteOffset: 160, as: Floats.self)
    acc.storeBytes(of: x30, toByteOffset: 192, as: Floats.self)
    acc.storeBytes(of: x31, toByteOffset: 224, as: Floats.self)
}

/// The float step of one block for one token: correction by the offset, conversion, scales, minimum.
@inline(__always)
private func finish<F: BlockFormat>(
    _ format: F.Type, _ p: UnsafeRawPointer, _ sums: UnsafeRawPointer, _ scale: UnsafeRawPointer, _ low: Words,
    _ high: Words, _ x: inout Floats, _ y: inout Floats
) {
    var low = low
    var high = high
    if F.correction != 0 {
        if F.hasScales {
            for pair in 0..<8 {
                let q = unsafeBitCast(repeated(sums + 4 &* pair), to: Shorts.self)
                let at = F.correctionOffset &+ 64 &* pair
                low &-= widen(p.load(fromByteOffset: at, as: Shorts.self), q)
                high &-= widen(p.load(fromByteOffset: at &+ 32, as: Shorts.self), q)
            }
        } else {
            for pair in 0..<F.groupCount {
                let q = unsafeBitCast(repeated(sums + 4 &* pair), to: Shorts.self)
                let correction = widen(q, Shorts(repeating: F.correction))
                low &-= correction
                high &-= correction
            }
        }
    }
    let scale = scale.load(as: Float.self)
    let d0 = p.load(fromByteOffset: F.codeBytes, as: Floats.self)
    let d1 = p.load(fromByteOffset: F.codeBytes &+ 32, as: Floats.self)
    x += floats(low) * (d0 * scale)
    y += floats(high) * (d1 * scale)
    if F.hasMinimum {
        var low = Words()
        var high = Words()
        if F.groupCount == 1 {
            low = widen(unsafeBitCast(repeated(sums), to: Shorts.self), Shorts(repeating: 1))
            high = low
        } else {
            for pair in 0..<8 {
                let q = unsafeBitCast(repeated(sums + 4 &* pair), to: Shorts.self)
                let at = F.minimumOffset &+ 64 &* pair
                low &+= widen(p.load(fromByteOffset: at, as: Shorts.self), q)
                high &+= widen(p.load(fromByteOffset: at &+ 32, as: Shorts.self), q)
            }
        }
        let m0 = p.load(fromByteOffset: F.codeBytes &+ 64, as: Floats.self)
        let m1 = p.load(fromByteOffset: F.codeBytes &+ 96, as: Floats.self)
        x += floats(low) * (m0 * scale)
        y += floats(high) * (m1 * scale)
    }
}
