internal import EdgeKernelJobs

// Many tokens: sixteen rows are unpacked once to a panel with four values of one row in each 32-bit lane, and the panel serves
// every token. A block of a panel holds, in this order,
//     codes             [8 * groupCount][16 rows][4]          bytes
//     d, and m          [16 rows] each                        f32
//     s                 [8 or 16][16 rows]                    (s, s) as two s16
//     s * offset        [8][16 rows]                          neighbouring groups of 16 as two s16
//     t                 [8][16 rows]                          likewise

extension BlockFormat {
    @inline(__always) static var codeBytes: Int { 512 &* groupCount }
    @inline(__always) static var scaleOffset: Int { codeBytes &+ (hasMinimum ? 128 : 64) }
    @inline(__always) static var scaleCount: Int { hasScales ? (hasHalfScales ? 16 : 8) : 0 }
    @inline(__always) static var correctionOffset: Int { scaleOffset &+ 64 &* scaleCount }
    @inline(__always) static var minimumOffset: Int { correctionOffset &+ (hasScales && offset != 0 ? 512 : 0) }
    @inline(__always) static var panelBlockBytes: Int { minimumOffset &+ (groupCount > 1 && hasMinimum ? 512 : 0) }
}

/// Stores eight vectors of eight rows each, `stride` bytes apart.
@inline(__always)
private func storeColumns(_ c: EightWords, _ target: UnsafeMutableRawPointer, stride: Int) {
    target.storeBytes(of: c.0, as: Words.self)
    target.storeBytes(of: c.1, toByteOffset: stride, as: Words.self)
    target.storeBytes(of: c.2, toByteOffset: 2 &* stride, as: Words.self)
    target.storeBytes(of: c.3, toByteOffset: 3 &* stride, as: Words.self)
    target.storeBytes(of: c.4, toByteOffset: 4 &* stride, as: Words.self)
    target.storeBytes(of: c.5, toByteOffset: 5 &* stride, as: Words.self)
    target.storeBytes(of: c.6, toByteOffset: 6 &* stride, as: Words.self)
    target.storeBytes(of: c.7, toByteOffset: 7 &* stride, as: Words.self)
}

/// The low or the high short of each word, twice.
@inline(__always) private func lowTwice(_ x: Words) -> Words { x & 0xFFFF | x &<< 16 }
@inline(__always) private func highTwice(_ x: Words) -> Words {
    let high = unsafeBitCast(x, to: SIMD8<UInt32>.self) &>> 16
    return unsafeBitCast(high | high &<< 16, to: Words.self)
}

/// Unpacks eight rows to one half of a panel, `target` pointing to that half's lanes.
@inline(__always)
private func packEight<F: BlockFormat>(
    _ format: F.Type, _ rows: EightPointers, blocks: Int, _ target: UnsafeMutableRawPointer
) {
    @inline(__always) func words(_ x: Bytes) -> Words { unsafeBitCast(x, to: Words.self) }
    @inline(__always) func words(_ x: Shorts) -> Words { unsafeBitCast(x, to: Words.self) }
    var r = rows
    var out = target
    for _ in 0..<blocks {
        for group in 0..<F.groupCount {
            let columns = transposed(
                (
                    words(F.codes(r.0, group: group)), words(F.codes(r.1, group: group)),
                    words(F.codes(r.2, group: group)), words(F.codes(r.3, group: group)),
                    words(F.codes(r.4, group: group)), words(F.codes(r.5, group: group)),
                    words(F.codes(r.6, group: group)), words(F.codes(r.7, group: group))
                ))
            storeColumns(columns, out + 512 &* group, stride: 64)
        }
        out.storeBytes(of: F.factors(r), toByteOffset: F.codeBytes, as: Floats.self)
        if F.hasMinimum {
            out.storeBytes(of: F.minimumFactors(r), toByteOffset: F.codeBytes &+ 64, as: Floats.self)
        }
        if F.hasScales {
            let s: EightShorts = (
                F.scales(r.0), F.scales(r.1), F.scales(r.2), F.scales(r.3), F.scales(r.4), F.scales(r.5),
                F.scales(r.6), F.scales(r.7)
            )
            let columns = transposed(
                (words(s.0), words(s.1), words(s.2), words(s.3), words(s.4), words(s.5), words(s.6), words(s.7)))
            let at = out + F.scaleOffset
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
            if F.offset != 0 {
                @inline(__always) func scaled(_ x: Words) -> Words {
                    words(unsafeBitCast(x, to: Shorts.self) &* F.offset)
                }
                storeColumns(
                    (
                        scaled(columns.0), scaled(columns.1), scaled(columns.2), scaled(columns.3), scaled(columns.4),
                        scaled(columns.5), scaled(columns.6), scaled(columns.7)
                    ), out + F.correctionOffset, stride: 64)
            }
            if F.hasMinimum {
                let columns = transposed(
                    (
                        words(F.minimums(r.0)), words(F.minimums(r.1)), words(F.minimums(r.2)),
                        words(F.minimums(r.3)), words(F.minimums(r.4)), words(F.minimums(r.5)),
                        words(F.minimums(r.6)), words(F.minimums(r.7))
                    ))
                storeColumns(columns, out + F.minimumOffset, stride: 64)
            }
        }
        out += F.panelBlockBytes
        r = (
            r.0 + F.byteCount, r.1 + F.byteCount, r.2 + F.byteCount, r.3 + F.byteCount, r.4 + F.byteCount,
            r.5 + F.byteCount, r.6 + F.byteCount, r.7 + F.byteCount
        )
    }
}

/// A panel of 16 rows by four tokens that follow one another; `acc` is room for [4 tokens][16 rows] running sums.
@inline(__always)
private func tile<F: BlockFormat>(
    _ format: F.Type, panel: UnsafeRawPointer, blocks: Int, _ j: ProductJob, token: Int, acc: UnsafeMutableRawPointer
) {
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
        var i00 = Words(), i01 = Words(), i10 = Words(), i11 = Words()
        var i20 = Words(), i21 = Words(), i30 = Words(), i31 = Words()
        var w = p
        for unit in 0..<8 &* F.groupCount / F.unit {
            var s00 = Products(), s01 = Products(), s10 = Products(), s11 = Products()
            var s20 = Products(), s21 = Products(), s30 = Products(), s31 = Products()
            for _ in 0..<F.unit {
                let low = w.load(as: Bytes.self)
                let high = w.load(fromByteOffset: 32, as: Bytes.self)
                let a0 = repeated(c)
                s00 &+= F.products(low, a0)
                s01 &+= F.products(high, a0)
                let a1 = repeated(c + stride)
                s10 &+= F.products(low, a1)
                s11 &+= F.products(high, a1)
                let a2 = repeated(c + 2 &* stride)
                s20 &+= F.products(low, a2)
                s21 &+= F.products(high, a2)
                let a3 = repeated(c + 3 &* stride)
                s30 &+= F.products(low, a3)
                s31 &+= F.products(high, a3)
                w += 64
                c += 4
            }
            var low = Shorts(repeating: 1)
            var high = Shorts(repeating: 1)
            if F.hasScales {
                let at = F.scaleOffset &+ 64 &* (unit &* F.unit / (F.hasHalfScales ? 4 : 8))
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
    if F.offset != 0 {
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
                let correction = widen(q, Shorts(repeating: F.offset))
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

/// All rows of the job by all tokens, a panel at a time.
@inline(__always)
func panelProducts<F: BlockFormat>(_ format: F.Type, _ job: UnsafePointer<ProductJob>) {
    let j = job.pointee
    let blocks = j.columnCount / (32 &* F.groupCount)
    let acc = j.scratch
    let panel = j.scratch + 256
    var first = 0
    while first < j.rowCount {
        for half in 0..<2 {
            let rows = rowPointers(j.weights, j.rowByteCount, first: first &+ 8 &* half, count: j.rowCount)
            packEight(F.self, rows, blocks: blocks, panel + 32 &* half)
        }
        var done = 0
        while done < j.tokenCount {
            // There are at least four tokens: the last tile reaches back over some that are done, and stores only the others.
            let token = min(done, j.tokenCount &- 4)
            tile(F.self, panel: UnsafeRawPointer(panel), blocks: blocks, j, token: token, acc: acc)
            for i in done &- token..<4 {
                let output = j.output + ((token &+ i) &* j.outputStride &+ first)
                store(
                    acc.load(fromByteOffset: 64 &* i, as: Floats.self), output, count: j.rowCount &- first,
                    isAccumulating: j.isAccumulating)
                store(
                    acc.load(fromByteOffset: 64 &* i &+ 32, as: Floats.self), output + 8,
                    count: j.rowCount &- first &- 8, isAccumulating: j.isAccumulating)
            }
            done = token &+ 4
        }
        first &+= 16
    }
}

/// The product of a job: rows as they lie for up to three tokens, panels for more. The bits are the same either way.
@inline(__always)
func products<F: BlockFormat>(_ format: F.Type, _ job: UnsafePointer<ProductJob>) {
    if job.pointee.tokenCount < 4 { vectorProducts(F.self, job) } else { panelProducts(F.self, job) }
}
