/// sum(a[i] * b[i]): lane l adds the products with i mod 16 = l in ascending order; then the tree. The tail's products go to
/// lanes 0, 1, … like everybody's. Product and sum are rounded separately, so no instruction set can differ.
@inline(__always)
func dot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int) -> Float {
    var sum = Lanes.zero
    var i = 0
    while i &+ 16 <= count {
        sum += Lanes(loading: a + i) * Lanes(loading: b + i)
        i &+= 16
    }
    if i < count {
        var lane = 0
        while i < count {
            sum[lane] += a[i] * b[i]
            lane &+= 1
            i &+= 1
        }
    }
    return sum.tree
}

/// sum(x[i]), in the lanes and the tree of `dot`.
@inline(__always)
func sum(_ x: UnsafePointer<Float>, _ count: Int) -> Float {
    var sum = Lanes.zero
    var i = 0
    while i &+ 16 <= count {
        sum += Lanes(loading: x + i)
        i &+= 16
    }
    var lane = 0
    while i < count {
        sum[lane] += x[i]
        lane &+= 1
        i &+= 1
    }
    return sum.tree
}

/// output[i] += scale * x[i]
@inline(__always)
func addScaled(_ x: UnsafePointer<Float>, by scale: Float, to output: UnsafeMutablePointer<Float>, _ count: Int) {
    var i = 0
    while i &+ 16 <= count {
        (Lanes(loading: output + i) + Lanes(loading: x + i) * scale).store(to: output + i)
        i &+= 16
    }
    while i < count {
        output[i] += scale * x[i]
        i &+= 1
    }
}

/// x[i] *= scale
@inline(__always)
func scale(_ x: UnsafeMutablePointer<Float>, by factor: Float, _ count: Int) {
    var i = 0
    while i &+ 16 <= count {
        (Lanes(loading: x + i) * factor).store(to: x + i)
        i &+= 16
    }
    while i < count {
        x[i] *= factor
        i &+= 1
    }
}
