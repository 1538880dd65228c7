internal import EdgeKernelJobs

// Float weights by four to eight tokens: speculation, several sessions, the ends of prompts. Each weight is used so few times that
// making it f32 in scratch would cost as much as the products: tiles read three rows as they lie and convert in registers. The
// activations are packed once for all rows. The order of every sum is that of `FloatProduct.swift`.

/// Eight of the sixteen lanes of a span of three rows by four tokens, to `lanes`: [3 rows][tokens of a pass][16].
@inline(__always)
private func halfTile<F: FloatFormat>(
    _ format: F.Type, _ w0: UnsafeRawPointer, _ w1: UnsafeRawPointer, _ w2: UnsafeRawPointer,
    _ activations: UnsafeRawPointer, count: Int, isHigh: Bool, _ lanes: UnsafeMutableRawPointer
) {
    var a0 = Floats(), a1 = Floats(), a2 = Floats(), a3 = Floats()
    var b0 = Floats(), b1 = Floats(), b2 = Floats(), b3 = Floats()
    var c0 = Floats(), c1 = Floats(), c2 = Floats(), c3 = Floats()
    var x = activations
    @inline(__always) func add(_ p: Floats, _ q: Floats, _ r: Floats) {
        var y = x.load(as: Floats.self)
        a0 = multiplyAdd(p, y, a0)
        b0 = multiplyAdd(q, y, b0)
        c0 = multiplyAdd(r, y, c0)
        y = x.load(fromByteOffset: SpanLayout.rowStride, as: Floats.self)
        a1 = multiplyAdd(p, y, a1)
        b1 = multiplyAdd(q, y, b1)
        c1 = multiplyAdd(r, y, c1)
        y = x.load(fromByteOffset: 2 &* SpanLayout.rowStride, as: Floats.self)
        a2 = multiplyAdd(p, y, a2)
        b2 = multiplyAdd(q, y, b2)
        c2 = multiplyAdd(r, y, c2)
        y = x.load(fromByteOffset: 3 &* SpanLayout.rowStride, as: Floats.self)
        a3 = multiplyAdd(p, y, a3)
        b3 = multiplyAdd(q, y, b3)
        c3 = multiplyAdd(r, y, c3)
        x += SpanLayout.stepStride(width: 4)
    }
    var at = isHigh ? 8 &* F.byteCount : 0
    for _ in 0..<count / 16 {
        add(F.load(w0 + at), F.load(w1 + at), F.load(w2 + at))
        at &+= 16 &* F.byteCount
    }
    let rest = count % 16
    if rest > 0 {
        let from = (count &- rest) &* F.byteCount
        let p = padded(F.self, w0 + from, count: rest)
        let q = padded(F.self, w1 + from, count: rest)
        let r = padded(F.self, w2 + from, count: rest)
        if isHigh { add(p.high, q.high, r.high) } else { add(p.low, q.low, r.low) }
    }
    @inline(__always) func save(_ row: Int, _ x: Floats, _ y: Floats, _ z: Floats, _ v: Floats) {
        let at = lanes + 64 &* Span.passTokens &* row
        at.storeBytes(of: x, as: Floats.self)
        at.storeBytes(of: y, toByteOffset: 64, as: Floats.self)
        at.storeBytes(of: z, toByteOffset: 128, as: Floats.self)
        at.storeBytes(of: v, toByteOffset: 192, as: Floats.self)
    }
    save(0, a0, a1, a2, a3)
    save(1, b0, b1, b2, b3)
    save(2, c0, c1, c2, c3)
}

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
        from = 0
        while from < job.columnCount {
            let count = min(Span.columns, job.columnCount &- from)
            let steps = (count &+ 15) / 16
            let high = SpanLayout.highOffset(width: 4, steps: steps)
            let at = from &* F.byteCount
            for group in 0..<groups {
                let x = activations + (4 &* Span.passTokens &* from &+ 256 &* steps &* group)
                let target = lanes + 256 &* group
                halfTile(F.self, row0 + at, row1 + at, row2 + at, x, count: count, isHigh: false, target)
                halfTile(F.self, row0 + at, row1 + at, row2 + at, x + high, count: count, isHigh: true, target + 32)
            }
            let adds = job.isAccumulating || from > 0
            for row in first..<min(first &+ 3, job.rowCount) {
                let sums = folded(lanes + 64 &* Span.passTokens &* (row &- first))
                var output = job.output + row
                for token in 0..<job.tokenCount {
                    output.pointee = adds ? output.pointee + sums[token] : sums[token]
                    output += job.outputStride
                }
            }
            from &+= Span.columns
        }
        first &+= 3
    }
}
