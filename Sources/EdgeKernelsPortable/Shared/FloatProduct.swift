internal import EdgeKernelJobs

// Weights that are floats, by f32 activations. Each output is one sum in one fixed order: columns are cut in spans of 512; in a
// span lane l of 16 adds the products with column mod 16 = l in ascending order, each with one fused multiply-add; the lanes are
// added as a tree, halves onto halves; the spans' sums are added in ascending order, to what stands in the output if it
// accumulates. Tiles of rows and tokens share what they load and change nothing of that.
//
// Few tokens: rows as they lie; from four on in tiles (`FloatFew.swift`). Many: a span of some rows becomes f32 in scratch once for all tokens, and a span of some tokens is
// copied there for all these rows, each in the order in which a tile reads it: strides of activations fill few sets of a cache.

/// The sizes of the above. `FloatProductJob.scratchByteCount` is their sum; constants of another module are not folded.
enum Span {
    /// Columns whose lanes are summed before the next ones follow.
    @inline(__always) static var columns: Int { 512 }
    /// Rows whose span becomes f32 at once, in threes: they fit the second cache.
    @inline(__always) static var blockRows: Int { 132 }
    /// Tokens that pass over a block of rows together, in fours: they fit the first cache, beside three rows.
    @inline(__always) static var passTokens: Int { 8 }
    /// Bytes of the lanes of three rows by the tokens of a pass.
    @inline(__always) static var laneBytes: Int { 3 &* passTokens &* 64 }
    @inline(__always) static var tokenBytes: Int { passTokens &* columns &* 4 }
    /// Columns of all of a pass's tokens that fit the scratch.
    @inline(__always) static var fewColumns: Int { columns &* (blockRows / passTokens &+ 1) }
}

/// How a float type becomes f32.
protocol FloatFormat: FloatTileFormat {
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

/// The sum of sixteen lanes as a tree.
@inline(__always)
private func tree(_ low: Floats, _ high: Floats) -> Float {
    let eight = low + high
    let four = eight.lowHalf + eight.highHalf
    let two = four.lowHalf + four.highHalf
    return two[0] + two[1]
}

/// Fewer than sixteen values, and zeros.
@inline(__always)
func padded<F: FloatFormat>(
    _ format: F.Type, _ p: UnsafeRawPointer, count: Int
) -> (low: Floats, high: Floats) {
    var low = Floats()
    var high = Floats()
    for i in 0..<count {
        let value = F.loadOne(p + i &* F.byteCount)
        if i < 8 { low[i] = value } else { high[i &- 8] = value }
    }
    return (low, high)
}

/// The dot product of a span of at most 512 columns; `share` bytes from `ahead` on are asked for with every four times sixteen.
@inline(__always)
private func spanDot<F: FloatFormat>(
    _ format: F.Type, _ w: UnsafeRawPointer, _ x: UnsafePointer<Float>, _ count: Int, ahead: UnsafeRawPointer,
    share: Int
) -> Float {
    var lanes = emptyLanes
    var w = w
    var x = x
    var ahead = ahead
    for _ in 0..<count / 64 {
        prefetch(ahead, byteCount: 64 &* F.byteCount, share: share)
        addLanes(F.self, w, x, steps: 4, &lanes)
        ahead += share
        w += 64 &* F.byteCount
        x += 64
    }
    addLanes(F.self, w, x, steps: count % 64 / 16, &lanes)
    let rest = count % 16
    if rest > 0 {
        let from = count % 64 &- rest
        let last = padded(F.self, w + from &* F.byteCount, count: rest)
        let input = padded(F32.self, UnsafeRawPointer(x + from), count: rest)
        lanes.lowHalf = multiplyAdd(last.low, input.low, lanes.lowHalf)
        lanes.highHalf = multiplyAdd(last.high, input.high, lanes.highHalf)
    }
    return tree(lanes.lowHalf, lanes.highHalf)
}

/// All rows of the job by its one to three tokens, rows as they lie.
///
/// Some rows take turns with pieces of four spans, so that what they are multiplied by stays in the first cache; meanwhile a row's
/// next piece is asked for, or the first of the row as many further on, by each token its share.
@inline(__always)
private func rowProducts<F: FloatFormat>(_ format: F.Type, _ job: FloatProductJob) {
    let piece = 4 &* Span.columns
    let turns = max(4, Prefetch.distance / job.rowByteCount)
    let share = 64 &* F.byteCount / job.tokenCount
    var first = 0
    while first < job.rowCount {
        let rows = min(turns, job.rowCount &- first)
        var from = 0
        while from < job.columnCount {
            let to = min(from &+ piece, job.columnCount)
            let next = to < job.columnCount ? to &* F.byteCount : turns &* job.rowByteCount
            for row in first..<first &+ rows {
                let w = job.weights + row &* job.rowByteCount
                var ahead = w + next
                // The first token brings a piece from memory, the others find it in the first cache.
                for token in 0..<job.tokenCount {
                    let x = job.input + token &* job.inputStride
                    let output = job.output + (token &* job.outputStride &+ row)
                    var column = from
                    while column < to {
                        let count = min(Span.columns, to &- column)
                        let sum = spanDot(
                            F.self, w + column &* F.byteCount, x + column, count, ahead: ahead, share: share)
                        output.pointee = job.isAccumulating || column > 0 ? output.pointee + sum : sum
                        ahead += share &* (Span.columns / 64)
                        column &+= Span.columns
                    }
                }
            }
            from = to
        }
        first &+= turns
    }
}

/// Packs row `index` of a span of `count` columns for `width` rows of a tile, in the room's order.
@inline(__always)
func pack<F: FloatFormat>(
    _ format: F.Type, _ source: UnsafeRawPointer?, count: Int, _ target: UnsafeMutableRawPointer, width: Int, index: Int
) {
    let steps = (count &+ 15) / 16
    let half = SpanLayout.highOffset(width: width, steps: steps)
    let stride = SpanLayout.stepStride(width: width)
    var low = target + SpanLayout.rowStride &* index
    guard let source else {
        for _ in 0..<steps {
            low.storeBytes(of: Floats(), as: Floats.self)
            low.storeBytes(of: Floats(), toByteOffset: half, as: Floats.self)
            low += stride
        }
        return
    }
    var i = 0
    while i &+ 16 <= count {
        low.storeBytes(of: F.load(source + i &* F.byteCount), as: Floats.self)
        low.storeBytes(of: F.load(source + (i &+ 8) &* F.byteCount), toByteOffset: half, as: Floats.self)
        low += stride
        i &+= 16
    }
    if i < count {
        let last = padded(F.self, source + i &* F.byteCount, count: count &- i)
        low.storeBytes(of: last.low, as: Floats.self)
        low.storeBytes(of: last.high, toByteOffset: half, as: Floats.self)
    }
}

/// Folds the lanes of eight tokens, sixteen each, to eight sums.
@inline(__always)
func folded(_ lanes: UnsafeMutableRawPointer) -> Floats {
    @inline(__always) func eight(_ token: Int) -> Words {
        let low = lanes.load(fromByteOffset: 64 &* token, as: Floats.self)
        return unsafeBitCast(low + lanes.load(fromByteOffset: 64 &* token &+ 32, as: Floats.self), to: Words.self)
    }
    let c = transposed((eight(0), eight(1), eight(2), eight(3), eight(4), eight(5), eight(6), eight(7)))
    @inline(__always) func add(_ a: Words, _ b: Words) -> Floats {
        unsafeBitCast(a, to: Floats.self) + unsafeBitCast(b, to: Floats.self)
    }
    let even = add(c.0, c.4) + add(c.2, c.6)
    let odd = add(c.1, c.5) + add(c.3, c.7)
    return even + odd
}

/// Puts a row's sums of at most eight tokens to their outputs, or adds them to what stands there; `scratch` holds eight floats.
@inline(__always)
func put(
    _ sums: Floats, _ output: UnsafeMutablePointer<Float>, stride: Int, tokens: Int, adds: Bool,
    _ scratch: UnsafeMutableRawPointer
) {
    // One by one out of a register, each would be a store of all of them.
    scratch.storeBytes(of: sums, as: Floats.self)
    let sums = scratch.assumingMemoryBound(to: Float.self)
    var output = output
    if adds {
        for token in 0..<tokens {
            output.pointee += sums[token]
            output += stride
        }
    } else {
        for token in 0..<tokens {
            output.pointee = sums[token]
            output += stride
        }
    }
}

/// Asks for lines `from` up to `to` of pieces of `byteCount` bytes that lie `stride` bytes apart.
@inline(__always)
private func prefetchPieces(_ p: UnsafeRawPointer, stride: Int, byteCount: Int, from: Int, to: Int) {
    let lines = (byteCount &+ 63) / 64
    var piece = from / lines
    var line = from % lines
    for _ in from..<max(from, to) {
        prefetch(p + (piece &* stride &+ 64 &* line), byteCount: 64)
        line &+= 1
        if line == lines {
            line = 0
            piece &+= 1
        }
    }
}

/// All rows of the job by all its tokens: a span of a block of rows at a time.
///
/// The processor's prefetcher does not follow pieces this short. So each tile asks for a share of the next tokens' activations, and
/// of the weights of the next span.
@inline(__always)
private func spanProducts<F: FloatFormat>(_ format: F.Type, _ job: FloatProductJob) {
    let lanes = job.scratch
    let activations = job.scratch + Span.laneBytes
    let weights = activations + Span.tokenBytes
    let inputLines = Span.tokenBytes / 64
    let passes = (job.tokenCount &+ Span.passTokens &- 1) / Span.passTokens
    var first = 0
    while first < job.rowCount {
        let rows = min(Span.blockRows, job.rowCount &- first)
        let tiles = (rows &+ 2) / 3
        let inputShare = (inputLines &+ tiles &- 1) / tiles
        var from = 0
        while from < job.columnCount {
            let count = min(Span.columns, job.columnCount &- from)
            let steps = (count &+ 15) / 16
            // Rows in threes, tokens in fours; zeros stand for those that are not there.
            for row in 0..<3 &* tiles {
                let source = job.weights + ((first &+ row) &* job.rowByteCount &+ from &* F.byteCount)
                pack(
                    F.self, row < rows ? source : nil, count: count, weights + 192 &* steps &* (row / 3), width: 3,
                    index: row % 3)
            }
            let adds = job.isAccumulating || from > 0
            let isLast = from &+ Span.columns >= job.columnCount
            let nextWeights =
                job.weights + (isLast ? first &+ rows : first) &* job.rowByteCount
                + (isLast ? 0 : (from &+ Span.columns) &* F.byteCount)
            let nextByteCount = min(Span.columns, job.columnCount) &* F.byteCount
            let weightLines = rows &* ((nextByteCount &+ 63) / 64)
            let weightShare = (weightLines &+ passes &* tiles &- 1) / (passes &* tiles)
            var weightLine = 0
            var done = 0
            while done < job.tokenCount {
                let tokens = min(Span.passTokens, job.tokenCount &- done)
                for token in 0..<(tokens &+ 3) / 4 &* 4 {
                    let source = UnsafeRawPointer(job.input + ((done &+ token) &* job.inputStride &+ from))
                    pack(
                        F32.self, token < tokens ? source : nil, count: count,
                        activations + 256 &* steps &* (token / 4), width: 4, index: token % 4)
                }
                let isLastPass = done &+ Span.passTokens >= job.tokenCount
                let nextInput = UnsafeRawPointer(
                    isLastPass
                        ? job.input + (isLast ? 0 : from &+ Span.columns)
                        : job.input + ((done &+ Span.passTokens) &* job.inputStride &+ from))
                var inputLine = 0
                var row = 0
                while row < rows {
                    prefetchPieces(
                        nextInput, stride: 4 &* job.inputStride, byteCount: 4 &* Span.columns, from: inputLine,
                        to: min(inputLine &+ inputShare, inputLines))
                    inputLine &+= inputShare
                    prefetchPieces(
                        nextWeights, stride: job.rowByteCount, byteCount: nextByteCount, from: weightLine,
                        to: min(weightLine &+ weightShare, weightLines))
                    weightLine &+= weightShare
                    let w = weights + 64 &* steps &* row
                    let sums = spanSums(w, activations, steps: steps, groups: (tokens &+ 3) / 4, lanes)
                    let output = job.output + (done &* job.outputStride &+ first &+ row)
                    put(sums.0, output, stride: job.outputStride, tokens: tokens, adds: adds, lanes)
                    if row &+ 1 < rows {
                        put(sums.1, output + 1, stride: job.outputStride, tokens: tokens, adds: adds, lanes)
                    }
                    if row &+ 2 < rows {
                        put(sums.2, output + 2, stride: job.outputStride, tokens: tokens, adds: adds, lanes)
                    }
                    row &+= 3
                }
                done &+= tokens
            }
            from &+= Span.columns
        }
        first &+= Span.blockRows
    }
}

/// All rows of the job by all its tokens. The bits are the same either way.
@inline(__always)
func floatProducts<F: FloatFormat>(_ format: F.Type, _ job: FloatProductJob) {
    if job.tokenCount < 4 {
        rowProducts(F.self, job)
    } else if job.tokenCount <= Span.passTokens, job.columnCount <= Span.fewColumns {
        fewProducts(F.self, job)
    } else {
        spanProducts(F.self, job)
    }
}
