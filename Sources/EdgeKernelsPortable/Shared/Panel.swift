internal import EdgeKernelJobs

// Many tokens: sixteen rows are unpacked once to a panel with four values of one row in each 32-bit lane, and the panel serves
// every token. The tile of rows and tokens that works on it is the room's own (`Tiles`), since it is made for a number of registers
// and their width. A block of a panel holds, in this order,
//     codes             [8 * groupCount][16 rows][4]          bytes, or as the room's `codeColumns` has them
//     d, and m          [16 rows] each                        f32
//     s                 [scaleCount][16 rows]                 words, as the room's tile wants them
//     s * offset        [8][16 rows]                          neighbouring groups of 16 as two s16
//     t                 [8][16 rows]                          likewise, or as the room's `storeMinimums` has them

extension BlockFormat {
    @inline(__always) static var codeBytes: Int { 512 &* groupCount }
    @inline(__always) static var scaleOffset: Int { codeBytes &+ (hasMinimum ? 128 : 64) }
    @inline(__always) static var correctionOffset: Int { scaleOffset &+ 64 &* scaleCount }
    @inline(__always) static var minimumOffset: Int { correctionOffset &+ (hasScales && correction != 0 ? 512 : 0) }
    @inline(__always) static var panelBlockBytes: Int { minimumOffset &+ (groupCount > 1 && hasMinimum ? 512 : 0) }
}

/// Stores eight vectors of eight rows each, `stride` bytes apart.
@inline(__always)
func storeColumns(_ c: EightWords, _ target: UnsafeMutableRawPointer, stride: Int) {
    target.storeBytes(of: c.0, as: Words.self)
    target.storeBytes(of: c.1, toByteOffset: stride, as: Words.self)
    target.storeBytes(of: c.2, toByteOffset: 2 &* stride, as: Words.self)
    target.storeBytes(of: c.3, toByteOffset: 3 &* stride, as: Words.self)
    target.storeBytes(of: c.4, toByteOffset: 4 &* stride, as: Words.self)
    target.storeBytes(of: c.5, toByteOffset: 5 &* stride, as: Words.self)
    target.storeBytes(of: c.6, toByteOffset: 6 &* stride, as: Words.self)
    target.storeBytes(of: c.7, toByteOffset: 7 &* stride, as: Words.self)
}

/// Unpacks eight rows to one half of a panel, `target` pointing to that half's lanes; asks for as much as four rows from `next` on.
@inline(__always)
private func packEight<F: BlockFormat>(
    _ format: F.Type, _ rows: EightPointers, blocks: Int, _ target: UnsafeMutableRawPointer,
    next: UnsafeRawPointer
) {
    @inline(__always) func words(_ x: Bytes) -> Words { unsafeBitCast(x, to: Words.self) }
    @inline(__always) func words(_ x: Shorts) -> Words { unsafeBitCast(x, to: Words.self) }
    var r = rows
    var out = target
    var ahead = next
    let share = 4 &* F.byteCount / F.groupCount
    for _ in 0..<blocks {
        for group in 0..<F.groupCount {
            prefetch(ahead, byteCount: share)
            ahead += share
            let columns = codeColumns(
                (
                    words(F.panelCodes(r.0, group: group)), words(F.panelCodes(r.1, group: group)),
                    words(F.panelCodes(r.2, group: group)), words(F.panelCodes(r.3, group: group)),
                    words(F.panelCodes(r.4, group: group)), words(F.panelCodes(r.5, group: group)),
                    words(F.panelCodes(r.6, group: group)), words(F.panelCodes(r.7, group: group))
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
            storeScales(F.self, columns, out + F.scaleOffset)
            if F.correction != 0 {
                @inline(__always) func scaled(_ x: Words) -> Words {
                    words(unsafeBitCast(x, to: Shorts.self) &* F.correction)
                }
                storeColumns(
                    (
                        scaled(columns.0), scaled(columns.1), scaled(columns.2), scaled(columns.3), scaled(columns.4),
                        scaled(columns.5), scaled(columns.6), scaled(columns.7)
                    ), out + F.correctionOffset, stride: 64)
            }
            if F.hasMinimum {
                storeMinimums(
                    (
                        words(F.minimums(r.0)), words(F.minimums(r.1)), words(F.minimums(r.2)),
                        words(F.minimums(r.3)), words(F.minimums(r.4)), words(F.minimums(r.5)),
                        words(F.minimums(r.6)), words(F.minimums(r.7))
                    ), out + F.minimumOffset)
            }
        }
        out += F.panelBlockBytes
        r = (
            r.0 + F.byteCount, r.1 + F.byteCount, r.2 + F.byteCount, r.3 + F.byteCount, r.4 + F.byteCount,
            r.5 + F.byteCount, r.6 + F.byteCount, r.7 + F.byteCount
        )
    }
}

/// All rows of the job by all tokens, a panel at a time. Half of the next panel's rows are asked for while one is packed, half while it
/// meets its first tokens.
@inline(__always)
func panelProducts<F: BlockFormat>(_ format: F.Type, _ job: UnsafePointer<ProductJob>) {
    let j = job.pointee
    let blocks = j.columnCount / (32 &* F.groupCount)
    let panel = j.scratch + tileByteCount
    var first = 0
    while first < j.rowCount {
        for half in 0..<2 {
            let rows = rowPointers(j.weights, j.rowByteCount, first: first &+ 8 &* half, count: j.rowCount)
            packEight(
                F.self, rows, blocks: blocks, panel + 32 &* half,
                next: j.weights + (first &+ 16 &+ 4 &* half) &* j.rowByteCount)
        }
        panelByTokens(
            F.self, panel: UnsafeRawPointer(panel), blocks: blocks, j, first: first,
            next: j.weights + (first &+ 24) &* j.rowByteCount)
        first &+= 16
    }
}

/// Stores sixteen rows' sums for `count` tokens from `token` on; `sums` are [tokens][16 rows].
@inline(__always)
func storeTile(_ sums: UnsafeMutableRawPointer, _ j: ProductJob, first: Int, token: Int, count: Int) {
    for i in 0..<count {
        let output = j.output + ((token &+ i) &* j.outputStride &+ first)
        store(
            sums.load(fromByteOffset: 64 &* i, as: Floats.self), output, count: j.rowCount &- first,
            isAccumulating: j.isAccumulating)
        store(
            sums.load(fromByteOffset: 64 &* i &+ 32, as: Floats.self), output + 8, count: j.rowCount &- first &- 8,
            isAccumulating: j.isAccumulating)
    }
}

/// The product of a job: rows as they lie for up to three tokens, panels for more. The bits are the same either way.
@inline(__always)
func products<F: BlockFormat>(_ format: F.Type, _ job: UnsafePointer<ProductJob>) {
    if job.pointee.tokenCount < 4 { vectorProducts(F.self, job) } else { panelProducts(F.self, job) }
}
