// What attention does with every key and value it sees. Dots have the one order of all float sums here: 16 lanes, then a tree.

/// scores[j] = query · keys[j] for the positions of a range; keys are [positions, headSize].
func keyScores(
    _ query: UnsafePointer<Float>, _ keys: UnsafePointer<Float>, _ headSize: Int, _ lower: Int, _ upper: Int,
    _ scores: UnsafeMutablePointer<Float>
) {
    let q = UnsafeRawPointer(query)
    var j = lower
    if headSize % 16 == 0 {
        while j &+ 8 <= upper {
            // Eight keys share each part of the query; their trees are climbed side by side.
            let k = UnsafeRawPointer(keys + j &* headSize)
            let stride = 4 &* headSize
            let rows = (
                lanes(q, k, headSize), lanes(q, k + stride, headSize), lanes(q, k + 2 &* stride, headSize),
                lanes(q, k + 3 &* stride, headSize), lanes(q, k + 4 &* stride, headSize),
                lanes(q, k + 5 &* stride, headSize), lanes(q, k + 6 &* stride, headSize),
                lanes(q, k + 7 &* stride, headSize)
            )
            let c = transposed(rows)
            @inline(__always) func add(_ a: Words, _ b: Words) -> Floats {
                unsafeBitCast(a, to: Floats.self) + unsafeBitCast(b, to: Floats.self)
            }
            let even = add(c.0, c.4) + add(c.2, c.6)
            let odd = add(c.1, c.5) + add(c.3, c.7)
            UnsafeMutableRawPointer(scores + j).storeBytes(of: even + odd, as: Floats.self)
            j &+= 8
        }
    }
    while j < upper {
        scores[j] = dot(F32.self, UnsafeRawPointer(keys + j &* headSize), query, headSize)
        j &+= 1
    }
}

/// The sixteen lanes of a dot product, the upper eight added to the lower.
@inline(__always)
private func lanes(_ q: UnsafeRawPointer, _ k: UnsafeRawPointer, _ count: Int) -> Words {
    var low = Floats()
    var high = Floats()
    var i = 0
    while i < 4 &* count {
        low += q.loadUnaligned(fromByteOffset: i, as: Floats.self) * k.loadUnaligned(fromByteOffset: i, as: Floats.self)
        high +=
            q.loadUnaligned(fromByteOffset: i &+ 32, as: Floats.self)
            * k.loadUnaligned(fromByteOffset: i &+ 32, as: Floats.self)
        i &+= 64
    }
    return unsafeBitCast(low + high, to: Words.self)
}

/// output = output * factor, then += weights[j] * values[j] for the positions of a range, in order.
func addValues(
    _ values: UnsafePointer<Float>, _ weights: UnsafePointer<Float>, _ headSize: Int, _ lower: Int, _ upper: Int,
    _ output: UnsafeMutablePointer<Float>, _ factor: Float
) {
    let memory = UnsafeMutableRawPointer(output)
    let source = UnsafeRawPointer(values)
    var i = 0
    // A part of the output stays in registers while all values pass.
    while i &+ 32 <= headSize {
        var a = memory.loadUnaligned(fromByteOffset: 4 &* i, as: Floats.self) * factor
        var b = memory.loadUnaligned(fromByteOffset: 4 &* i &+ 32, as: Floats.self) * factor
        var c = memory.loadUnaligned(fromByteOffset: 4 &* i &+ 64, as: Floats.self) * factor
        var d = memory.loadUnaligned(fromByteOffset: 4 &* i &+ 96, as: Floats.self) * factor
        for j in lower..<max(lower, upper) {
            let weight = weights[j]
            let v = source + 4 &* (j &* headSize &+ i)
            a += v.loadUnaligned(as: Floats.self) * weight
            b += v.loadUnaligned(fromByteOffset: 32, as: Floats.self) * weight
            c += v.loadUnaligned(fromByteOffset: 64, as: Floats.self) * weight
            d += v.loadUnaligned(fromByteOffset: 96, as: Floats.self) * weight
        }
        memory.storeBytes(of: a, toByteOffset: 4 &* i, as: Floats.self)
        memory.storeBytes(of: b, toByteOffset: 4 &* i &+ 32, as: Floats.self)
        memory.storeBytes(of: c, toByteOffset: 4 &* i &+ 64, as: Floats.self)
        memory.storeBytes(of: d, toByteOffset: 4 &* i &+ 96, as: Floats.self)
        i &+= 32
    }
    while i < headSize {
        var x = output[i] * factor
        for j in lower..<max(lower, upper) { x += values[j &* headSize &+ i] * weights[j] }
        output[i] = x
        i &+= 1
    }
}

/// Halves to floats.
func decodeHalves(_ source: UnsafePointer<UInt16>, _ count: Int, _ output: UnsafeMutablePointer<Float>) {
    let from = UnsafeRawPointer(source)
    var i = 0
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
