// Types of one value a block: floats and integers, little-endian. Integers and f64 round to the nearest f32.

func decodeF32(_ x: Span<UInt8>, _ y: inout MutableSpan<Float>) {
    for i in 0..<y.count { y[i] = Float(bitPattern: x.u32(4 &* i)) }
}

func decodeF64(_ x: Span<UInt8>, _ y: inout MutableSpan<Float>) {
    for i in 0..<y.count { y[i] = Float(Double(bitPattern: x.u64(8 &* i))) }
}

func decodeF16(_ x: Span<UInt8>, _ y: inout MutableSpan<Float>) {
    for i in 0..<y.count { y[i] = x.half(2 &* i) }
}

func decodeBF16(_ x: Span<UInt8>, _ y: inout MutableSpan<Float>) {
    for i in 0..<y.count { y[i] = BFloat.decode(x.u16(2 &* i)) }
}

func decodeI8(_ x: Span<UInt8>, _ y: inout MutableSpan<Float>) {
    for i in 0..<y.count { y[i] = Float(Int8(bitPattern: x[i])) }
}

func decodeI16(_ x: Span<UInt8>, _ y: inout MutableSpan<Float>) {
    for i in 0..<y.count { y[i] = Float(Int16(bitPattern: x.u16(2 &* i))) }
}

func decodeI32(_ x: Span<UInt8>, _ y: inout MutableSpan<Float>) {
    for i in 0..<y.count { y[i] = Float(Int32(bitPattern: x.u32(4 &* i))) }
}

func decodeI64(_ x: Span<UInt8>, _ y: inout MutableSpan<Float>) {
    for i in 0..<y.count { y[i] = Float(Int64(bitPattern: x.u64(8 &* i))) }
}
