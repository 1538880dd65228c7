internal import EdgeKernelJobs

// Float weights by four to eight tokens: speculation, several sessions, the ends of prompts. Each weight is used so few times that
// making it f32 in scratch would cost as much as the products: tiles read three rows as they lie and convert in registers. The
// activations are packed once for all rows. The order of every sum is that of `FloatProduct.swift`.

/// All rows of the job by its four to eight tokens, of at most `Span.fewColumns` columns.
@inline(__always)
func fewProducts<F: FloatFormat>(_ format: F.Type, _ job: FloatProductJob) {
    let lanes = job.scratch
    let activations = job.scratch + Span.laneBytes
    let groups = (job.tokenCount &+ 3) / 4
    var from = 0
    while from < job.columnCount {
        let count = min(Span.columns, job.columnCount &- from)
        let steps = (count &+ 15) / 16
        for token in 0..<4 &* groups {
            let source = UnsafeRawPointer(job.input + (token &* job.inputStride &+ from))
            pack(
                F32.self, token < job.tokenCount ? source : nil, count: count,
                activations + (4 &* Span.passTokens &* from &+ 256 &* steps &* (token / 4)), width: 4, index: token % 4)
        }
        from &+= Span.columns
    }
    var first = 0
    while first < job.rowCount {
        // Past the last row it stands in for those that are not there; their sums are not stored.
        let row0 = job.weights + first &* job.rowByteCount
        let row1 = job.weights + min(first &+ 1, job.rowCount &- 1) &* job.rowByteCount
        let row2 = job.weights + min(first &+ 2, job.rowCount &- 1) &* job.rowByteCount
        // The next three rows are asked for a line at a time, by each group of tokens its share.
        var ahead = row0 + 3 &* job.rowByteCount
        from = 0
        while from < job.columnCount {
            let count = min(Span.columns, job.columnCount &- from)
            let steps = (count &+ 15) / 16
            let at = from &* F.byteCount
            for group in 0..<groups {
                let x = activations + (4 &* Span.passTokens &* from &+ 256 &* steps &* group)
                fewTile(
                    F.self, row0 + at, row1 + at, row2 + at, x, count: count, lanes + 256 &* group, ahead: ahead,
                    share: 48 &* F.byteCount / groups)
                ahead += steps &* (48 &* F.byteCount / groups)
            }
            let adds = job.isAccumulating || from > 0
            for row in first..<min(first &+ 3, job.rowCount) {
                let rowLanes = lanes + 64 &* Span.passTokens &* (row &- first)
                put(
                    folded(rowLanes), job.output + row, stride: job.outputStride, tokens: job.tokenCount, adds: adds,
                    rowLanes)
            }
            from &+= Span.columns
        }
        first &+= 3
    }
}
