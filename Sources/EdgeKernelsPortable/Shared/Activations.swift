/// gate[i] = f(gate[i]) * up[i], or f(gate[i]) alone; f is GELU or SiLU.
func activate(
    _ isGELU: Bool, _ gate: UnsafeMutablePointer<Float>, _ up: UnsafePointer<Float>?, _ count: Int
) {
    if isGELU { apply({ gelu($0) }, gate, up, count) } else { apply({ silu($0) }, gate, up, count) }
}

@inline(__always)
private func apply(
    _ f: (Lanes) -> Lanes, _ gate: UnsafeMutablePointer<Float>, _ up: UnsafePointer<Float>?, _ count: Int
) {
    var i = 0
    while i &+ 16 <= count {
        var y = f(Lanes(loading: gate + i))
        if let up { y *= Lanes(loading: up + i) }
        y.store(to: gate + i)
        i &+= 16
    }
    while i < count {
        let y = f(Lanes(repeating: gate[i]))[0]
        gate[i] = up.map { y * $0[i] } ?? y
        i &+= 1
    }
}
