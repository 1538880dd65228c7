internal import EdgeKernelJobs

// Decoding: one token, or two or three. Rows are read as they lie in the file, from end to end, since memory is what limits this
// and the processor's prefetcher follows one stream best. The room's `RowTerms.swift` gives a term for each block of a row; when
// the terms of eight rows are there, they are added up in ascending block order with a lane a row.

/// Eight vectors, `stride` bytes apart.
@inline(__always)
func loadEight(_ p: UnsafeMutableRawPointer, stride: Int) -> EightWords {
    (
        p.loadUnaligned(as: Words.self), p.loadUnaligned(fromByteOffset: stride, as: Words.self),
        p.loadUnaligned(fromByteOffset: 2 &* stride, as: Words.self),
        p.loadUnaligned(fromByteOffset: 3 &* stride, as: Words.self),
        p.loadUnaligned(fromByteOffset: 4 &* stride, as: Words.self),
        p.loadUnaligned(fromByteOffset: 5 &* stride, as: Words.self),
        p.loadUnaligned(fromByteOffset: 6 &* stride, as: Words.self),
        p.loadUnaligned(fromByteOffset: 7 &* stride, as: Words.self)
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

/// What a few rows are multiplied by, one after the other as if they were one: where a row is no whole number of steps, the step that it
/// ends in goes on in the next row, and little is computed for nothing.
private struct RunningOn {
    /// Rows that are taken as one: a power of two, at most eight.
    let rows: Int
    /// Of each token: codes, scales and sums of all blocks, as many times.
    let codes: UnsafeMutableRawPointer
    let codeBytes: Int
    let scaleBytes: Int
    let sumBytes: Int
    var tokenBytes: Int { codeBytes &+ scaleBytes &+ sumBytes }

    /// The codes of so many rows stay in the first cache.
    private static var codeLimit: Int { 16384 }

    /// Nil where rows are whole steps, or nearly, or a room of `byteCount` bytes from `at` on is too small.
    @inline(__always)
    init?<F: BlockFormat>(
        _ format: F.Type, _ j: ProductJob, blocks: Int, at scratch: UnsafeMutableRawPointer, byteCount: Int
    ) {
        let step = F.groupCount == 1 ? termBlocks : 8
        // Where less than a tenth would be gained, more of the first cache is a loss.
        let idle = (blocks &+ step &- 1) / step &* step &- blocks
        guard 10 &* idle > blocks, j.rowByteCount == blocks &* F.byteCount, j.rowCount >= 8 else { return nil }
        var rows = 1
        while rows < 8, rows &* blocks % step != 0, 2 &* rows &* j.columnCount <= Self.codeLimit { rows &*= 2 }
        codeBytes = rows &* j.columnCount
        scaleBytes = 4 &* rows &* blocks
        sumBytes = 4 &* F.groupCount &* rows &* blocks
        self.rows = rows
        codes = scratch
        guard rows > 1, j.tokenCount &* tokenBytes <= byteCount else { return nil }
        for token in 0..<j.tokenCount {
            let target = scratch + token &* tokenBytes
            for row in 0..<rows {
                (target + row &* j.columnCount).copyMemory(
                    from: j.codes + token &* j.codeStride, byteCount: j.columnCount)
                (target + (codeBytes &+ 4 &* blocks &* row)).copyMemory(
                    from: j.scales + token &* j.scaleStride, byteCount: 4 &* blocks)
                (target + (codeBytes &+ scaleBytes &+ 4 &* F.groupCount &* blocks &* row)).copyMemory(
                    from: j.sums + token &* j.sumStride, byteCount: 4 &* F.groupCount &* blocks)
            }
        }
    }
}

/// All rows of the job by each of its few tokens.
@inline(__always)
func vectorProducts<F: BlockFormat>(_ format: F.Type, _ job: UnsafePointer<ProductJob>) {
    let j = job.pointee
    let blocks = j.columnCount / (32 &* F.groupCount)
    // Scratch: the room's partial sums, then of eight rows the terms, and behind them a step's width that the last may write over, the
    // same of minimums, and what rows are multiplied by that run on.
    let stride = (blocks &+ termBlocks &- 1) / termBlocks &* 4 &* termBlocks
    let minimumOffset = 8 &* stride &+ 64
    let used = partByteCount &+ 2 &* minimumOffset
    let running = RunningOn(
        F.self, j, blocks: blocks, at: j.scratch + used,
        byteCount: ProductJob.scratchByteCount(columnCount: j.columnCount) &- used)
    if let running {
        runningRows(F.self, j, running, blocks: blocks, minimumOffset: minimumOffset)
    } else {
        vectorRows(
            F.self, j, blocks: blocks, codes: j.codes, codeStride: j.codeStride, scales: UnsafeRawPointer(j.scales),
            scaleStride: 4 &* j.scaleStride, sums: UnsafeRawPointer(j.sums), sumStride: 2 &* j.sumStride, together: 1,
            stride: stride, minimumOffset: minimumOffset)
    }
}

/// The same for rows that run on. Not inlined: the plain loop stays as short as it can be.
@inline(never)
private func runningRows<F: BlockFormat>(
    _ format: F.Type, _ j: ProductJob, _ running: RunningOn, blocks: Int, minimumOffset: Int
) {
    vectorRows(
        F.self, j, blocks: blocks, codes: UnsafeRawPointer(running.codes), codeStride: running.tokenBytes,
        scales: UnsafeRawPointer(running.codes + running.codeBytes), scaleStride: running.tokenBytes,
        sums: UnsafeRawPointer(running.codes + (running.codeBytes &+ running.scaleBytes)),
        sumStride: running.tokenBytes, together: running.rows, stride: 4 &* blocks, minimumOffset: minimumOffset)
}

/// The same, `together` rows taken as one, by activations whose tokens are so many bytes apart; a row's terms are `stride` bytes after
/// those of the row before.
@inline(__always)
private func vectorRows<F: BlockFormat>(
    _ format: F.Type, _ j: ProductJob, blocks: Int, codes: UnsafeRawPointer, codeStride: Int,
    scales: UnsafeRawPointer, scaleStride: Int, sums: UnsafeRawPointer, sumStride: Int, together: Int, stride: Int,
    minimumOffset: Int
) {
    let parts = j.scratch
    let terms = j.scratch + partByteCount
    // Eight rows are read for each token in turn, and each time a share of what follows is asked for.
    let share = j.rowByteCount / j.tokenCount
    var ahead = j.weights + (j.tokenCount == 1 ? Prefetch.distance : max(Prefetch.distance, 8 &* j.rowByteCount))
    var first = 0
    while first < j.rowCount {
        let count = min(8, j.rowCount &- first)
        for token in 0..<j.tokenCount {
            var row = 0
            while row < count {
                rowTerms(
                    F.self, j.weights + (first &+ row) &* j.rowByteCount,
                    blocks: together == 1 ? blocks : min(together, count &- row) &* blocks,
                    codes: codes + token &* codeStride, scales: scales + token &* scaleStride,
                    sums: sums + token &* sumStride, terms: terms + row &* stride, minimumOffset: minimumOffset,
                    parts: parts, ahead: ahead + (8 &* token &+ row) &* share, shares: j.tokenCount)
                row &+= together
            }
            let result = addTerms(
                F.self, terms, stride: stride, minimumOffset: minimumOffset, blocks: blocks, parts)
            store(
                result, j.output + (token &* j.outputStride &+ first), count: j.rowCount &- first,
                isAccumulating: j.isAccumulating)
        }
        first &+= 8
        ahead += 8 &* j.rowByteCount
    }
}
