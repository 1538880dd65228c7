internal import EdgeKernelJobs

// Weights that are floats, by f32 activations. Each output is a dot product in one fixed order: lane l of 16 adds the products
// with column mod 16 = l in ascending order, product and sum rounded separately; then the lanes are added as a tree, halves onto
// halves. Tiles of rows and tokens share what they load and change nothing of that.

/// How a float type becomes f32.
protocol FloatFormat {
    static var byteCount: Int { get }
    /// Eight values.
    static func load(_ p: UnsafeRawPointer) -> Floats
    static func loadOne(_ p: UnsafeRawPointer) -> Float
}

enum F32: FloatFormat {
    @inline(__always) static var byteCount: Int { 4 }
    @inline(__always) static func load(_ p: UnsafeRawPointer) -> Floats { p.loadUnaligned(as: Floats.self) }
    @inline(__always) static func loadOne(_ p: UnsafeRawPointer) -> Float { p.loadUnaligned(as: Float.self) }
}

enum F16: FloatFormat {
    @inline(__always) static var byteCount: Int { 2 }
    @inline(__always) static func load(_ p: UnsafeRawPointer) -> Floats {
        floats(halves: p.loadUnaligned(as: SIMD8<UInt16>.self))
    }
    @inline(__always) static func loadOne(_ p: UnsafeRawPointer) -> Float {
        floats(halves: SIMD8<UInt16>(repeating: p.loadUnaligned(as: UInt16.self)))[0]
    }
}

enum BF16: FloatFormat {
    @inline(__always) static var byteCount: Int { 2 }
    @inline(__always) static func load(_ p: UnsafeRawPointer) -> Floats {
        unsafeBitCast(words(p.loadUnaligned(as: SIMD8<UInt16>.self)) &<< 16, to: Floats.self)
    }
    @inline(__always) static func loadOne(_ p: UnsafeRawPointer) -> Float {
        Float(bitPattern: UInt32(p.loadUnaligned(as: UInt16.self)) &<< 16)
    }
}

@inline(__always) private func load(_ p: UnsafePointer<Float>) -> Floats {
    UnsafeRawPointer(p).loadUnaligned(as: Floats.self)
}

/// Adds the tail's products to lanes 0, 1, … and folds the sixteen lanes.
@inline(__always)
private func finish<F: FloatFormat>(
    _ format: F.Type, _ low: Floats, _ high: Floats, _ weights: UnsafeRawPointer, _ x: UnsafePointer<Float>, from: Int,
    count: Int
) -> Float {
    var low = low
    var high = high
    for i in from..<count {
        let product = F.loadOne(weights + i &* F.byteCount) * x[i]
        if i &- from < 8 { low[i &- from] += product } else { high[i &- from &- 8] += product }
    }
    let eight = low + high
    let four = eight.lowHalf + eight.highHalf
    let two = four.lowHalf + four.highHalf
    return two[0] + two[1]
}

@inline(__always)
private func put(_ value: Float, _ job: FloatProductJob, row: Int, token: Int) {
    let output = job.output + (token &* job.outputStride &+ row)
    output.pointee = job.isAccumulating ? output.pointee + value : value
}

/// Two rows by three tokens: twelve registers of sums, two of weights, and the products.
@inline(__always)
private func sixDots<F: FloatFormat>(_ format: F.Type, _ job: FloatProductJob, row: Int, token: Int) {
    let w0 = job.weights + row &* job.rowByteCount
    let w1 = w0 + job.rowByteCount
    let x0 = job.input + token &* job.inputStride
    let x1 = x0 + job.inputStride
    let x2 = x1 + job.inputStride
    var a00 = Floats(), a01 = Floats(), a10 = Floats(), a11 = Floats(), a20 = Floats(), a21 = Floats()
    var b00 = Floats(), b01 = Floats(), b10 = Floats(), b11 = Floats(), b20 = Floats(), b21 = Floats()
    var i = 0
    while i &+ 16 <= job.columnCount {
        let p = F.load(w0 + i &* F.byteCount)
        let r = F.load(w1 + i &* F.byteCount)
        var x = load(x0 + i)
        a00 += p * x
        b00 += r * x
        x = load(x1 + i)
        a10 += p * x
        b10 += r * x
        x = load(x2 + i)
        a20 += p * x
        b20 += r * x
        let q = F.load(w0 + (i &+ 8) &* F.byteCount)
        let s = F.load(w1 + (i &+ 8) &* F.byteCount)
        x = load(x0 + (i &+ 8))
        a01 += q * x
        b01 += s * x
        x = load(x1 + (i &+ 8))
        a11 += q * x
        b11 += s * x
        x = load(x2 + (i &+ 8))
        a21 += q * x
        b21 += s * x
        i &+= 16
    }
    let count = job.columnCount
    put(finish(F.self, a00, a01, w0, x0, from: i, count: count), job, row: row, token: token)
    put(finish(F.self, b00, b01, w1, x0, from: i, count: count), job, row: row &+ 1, token: token)
    put(finish(F.self, a10, a11, w0, x1, from: i, count: count), job, row: row, token: token &+ 1)
    put(finish(F.self, b10, b11, w1, x1, from: i, count: count), job, row: row &+ 1, token: token &+ 1)
    put(finish(F.self, a20, a21, w0, x2, from: i, count: count), job, row: row, token: token &+ 2)
    put(finish(F.self, b20, b21, w1, x2, from: i, count: count), job, row: row &+ 1, token: token &+ 2)
}

/// The dot product of one row.
@inline(__always)
func dot<F: FloatFormat>(_ format: F.Type, _ w: UnsafeRawPointer, _ x: UnsafePointer<Float>, _ count: Int) -> Float {
    var low = Floats()
    var high = Floats()
    var i = 0
    while i &+ 16 <= count {
        low += F.load(w + i &* F.byteCount) * load(x + i)
        high += F.load(w + (i &+ 8) &* F.byteCount) * load(x + (i &+ 8))
        i &+= 16
    }
    return finish(F.self, low, high, w, x, from: i, count: count)
}

/// One row by one token.
@inline(__always)
private func oneDot<F: FloatFormat>(_ format: F.Type, _ job: FloatProductJob, row: Int, token: Int) {
    put(
        dot(
            F.self, job.weights + row &* job.rowByteCount, job.input + token &* job.inputStride, job.columnCount),
        job, row: row, token: token)
}

/// All rows of the job by all its tokens.
@inline(__always)
func floatProducts<F: FloatFormat>(_ format: F.Type, _ job: FloatProductJob) {
    // Three tokens stay in the first cache while the rows of a block pass, and the block stays in the second while all tokens do.
    let blockRows = max(2, (1 << 17) / max(1, job.rowByteCount) & ~1)
    var first = 0
    while first < job.rowCount {
        let end = min(job.rowCount, first &+ blockRows)
        var token = 0
        while token &+ 3 <= job.tokenCount {
            var row = first
            while row &+ 2 <= end {
                sixDots(F.self, job, row: row, token: token)
                row &+= 2
            }
            if row < end { for t in token..<token &+ 3 { oneDot(F.self, job, row: row, token: t) } }
            token &+= 3
        }
        while token < job.tokenCount {
            for row in first..<end { oneDot(F.self, job, row: row, token: token) }
            token &+= 1
        }
        first = end
    }
}
