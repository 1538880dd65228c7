internal import EdgeKernelJobs

// Decoding: one token, or two or three. Rows are read as they lie in the file, from end to end, since memory is what limits this
// and the processor's prefetcher follows one stream best. The room's `RowTerms.swift` gives a term for each block of a row; when
// the terms of eight rows are there, they are added up in ascending block order with a lane a row.

/// Eight vectors, `stride` bytes apart.
@inline(__always)
func loadEight(_ p: UnsafeMutableRawPointer, stride: Int) -> EightWords {
    (
        p.load(as: Words.self), p.load(fromByteOffset: stride, as: Words.self),
        p.load(fromByteOffset: 2 &* stride, as: Words.self), p.load(fromByteOffset: 3 &* stride, as: Words.self),
        p.load(fromByteOffset: 4 &* stride, as: Words.self), p.load(fromByteOffset: 5 &* stride, as: Words.self),
        p.load(fromByteOffset: 6 &* stride, as: Words.self), p.load(fromByteOffset: 7 &* stride, as: Words.self)
    )
}

/// Adds up the terms of eight rows, block after block, a lane a row.
@inline(__always)
private func addTerms<F: BlockFormat>(
    _ format: F.Type, _ terms: UnsafeMutableRawPointer, stride: Int, minimumOffset: Int, blocks: Int,
    _ columns: UnsafeMutableRawPointer
) -> Floats {
    @inline(__always) func term(_ x: Words) -> Floats { unsafeBitCast(x, to: Floats.self) }
    var acc = Floats()
    var block = 0
    while block < blocks {
        let c = transposed(loadEight(terms + 4 &* block, stride: stride))
        if !F.hasMinimum, blocks &- block >= 8 {
            acc = acc + term(c.0) + term(c.1) + term(c.2) + term(c.3) + term(c.4) + term(c.5) + term(c.6) + term(c.7)
        } else if F.hasMinimum, blocks &- block >= 8 {
            let m = transposed(loadEight(terms + (minimumOffset &+ 4 &* block), stride: stride))
            acc = acc + term(c.0) + term(m.0) + term(c.1) + term(m.1) + term(c.2) + term(m.2) + term(c.3) + term(m.3)
            acc = acc + term(c.4) + term(m.4) + term(c.5) + term(m.5) + term(c.6) + term(m.6) + term(c.7) + term(m.7)
        } else {
            storeEight(c, columns)
            if F.hasMinimum {
                storeEight(
                    transposed(loadEight(terms + (minimumOffset &+ 4 &* block), stride: stride)), columns + 256)
            }
            for k in 0..<min(8, blocks &- block) {
                acc += columns.load(fromByteOffset: 32 &* k, as: Floats.self)
                if F.hasMinimum { acc += columns.load(fromByteOffset: 256 &+ 32 &* k, as: Floats.self) }
            }
        }
        block &+= 8
    }
    return acc
}

@inline(__always)
private func storeEight(_ c: EightWords, _ p: UnsafeMutableRawPointer) {
    p.storeBytes(of: c.0, as: Words.self)
    p.storeBytes(of: c.1, toByteOffset: 32, as: Words.self)
    p.storeBytes(of: c.2, toByteOffset: 64, as: Words.self)
    p.storeBytes(of: c.3, toByteOffset: 96, as: Words.self)
    p.storeBytes(of: c.4, toByteOffset: 128, as: Words.self)
    p.storeBytes(of: c.5, toByteOffset: 160, as: Words.self)
    p.storeBytes(of: c.6, toByteOffset: 192, as: Words.self)
    p.storeBytes(of: c.7, toByteOffset: 224, as: Words.self)
}

/// All rows of the job by each of its few tokens.
@inline(__always)
func vectorProducts<F: BlockFormat>(_ format: F.Type, _ job: UnsafePointer<ProductJob>) {
    let j = job.pointee
    let blocks = j.columnCount / (32 &* F.groupCount)
    // Scratch: the room's partial sums, then [8 rows][blocks, in whole steps] of terms, and the same of minimums.
    let parts = j.scratch
    let terms = j.scratch + partByteCount
    let stride = (blocks &+ termBlocks &- 1) / termBlocks &* 4 &* termBlocks
    // Eight rows are read for each token in turn, and each time a share of what follows is asked for.
    let share = j.rowByteCount / j.tokenCount
    var ahead = j.weights + (j.tokenCount == 1 ? Prefetch.distance : max(Prefetch.distance, 8 &* j.rowByteCount))
    var first = 0
    while first < j.rowCount {
        for token in 0..<j.tokenCount {
            for row in 0..<min(8, j.rowCount &- first) {
                rowTerms(
                    F.self, j.weights + (first &+ row) &* j.rowByteCount, blocks: blocks,
                    codes: j.codes + token &* j.codeStride,
                    scales: UnsafeRawPointer(j.scales + token &* j.scaleStride),
                    sums: UnsafeRawPointer(j.sums + token &* j.sumStride), terms: terms + row &* stride,
                    minimumOffset: 8 &* stride, parts: parts, ahead: ahead + (8 &* token &+ row) &* share,
                    shares: j.tokenCount)
            }
            let result = addTerms(
                F.self, terms, stride: stride, minimumOffset: 8 &* stride, blocks: blocks, parts)
            store(
                result, j.output + (token &* j.outputStride &+ first), count: j.rowCount &- first,
                isAccumulating: j.isAccumulating)
        }
        first &+= 8
        ahead += 8 &* j.rowByteCount
    }
}
