extension GGMLType {
    /// Decodes whole blocks to f32, in the operation order of ggml's reference, so that bits agree.
    ///
    /// - Throws: `QuantError` when the lengths disagree.
    package func decode(_ bytes: Span<UInt8>, into output: inout MutableSpan<Float>) throws(QuantError) {
        guard byteCount(valueCount: output.count) == bytes.count else {
            throw QuantError("\(bytes.count) bytes are not \(output.count) values of type \(name)")
        }
        var block = 0
        while block * blockLength < output.count {
            let start = block * blockByteCount
            let at = block * blockLength
            switch self {
            case .f32: output[at] = Float(bitPattern: bytes.u32(start))
            case .f16: output[at] = bytes.half(start)
            case .bf16: output[at] = BFloat.decode(bytes.u16(start))
            case .f64: output[at] = Float(Double(bitPattern: bytes.u64(start)))
            case .i8: output[at] = Float(bytes.i8(start))
            case .i16: output[at] = Float(Int16(bitPattern: bytes.u16(start)))
            case .i32: output[at] = Float(Int32(bitPattern: bytes.u32(start)))
            case .i64: output[at] = Float(Int64(bitPattern: bytes.u64(start)))
            case .q4_0: decodeQ4(bytes, start, at, &output, hasMinimum: false)
            case .q4_1: decodeQ4(bytes, start, at, &output, hasMinimum: true)
            case .q5_0: decodeQ5(bytes, start, at, &output, hasMinimum: false)
            case .q5_1: decodeQ5(bytes, start, at, &output, hasMinimum: true)
            case .q8_0: decodeQ8(bytes, start, at, &output)
            case .q2K: decodeQ2K(bytes, start, at, &output)
            case .q3K: decodeQ3K(bytes, start, at, &output)
            case .q4K: decodeQ45K(bytes, start, at, &output, hasHighBits: false)
            case .q5K: decodeQ45K(bytes, start, at, &output, hasHighBits: true)
            case .q6K: decodeQ6K(bytes, start, at, &output)
            case .iq4NL: decodeIQ4NL(bytes, start, at, &output)
            case .iq4XS: decodeIQ4XS(bytes, start, at, &output)
            case .tq1_0: decodeTQ1(bytes, start, at, &output)
            case .tq2_0: decodeTQ2(bytes, start, at, &output)
            case .mxfp4: decodeMXFP4(bytes, start, at, &output)
            }
            block += 1
        }
    }

    /// Decodes whole blocks to f32.
    ///
    /// - Throws: `QuantError` when the bytes are no whole number of blocks.
    package func decode(_ bytes: [UInt8]) throws(QuantError) -> [Float] {
        guard bytes.count % blockByteCount == 0 else {
            throw QuantError("\(bytes.count) bytes are no whole blocks of type \(name), \(blockByteCount) bytes each")
        }
        var result = [Float](repeating: 0, count: bytes.count / blockByteCount * blockLength)
        let input = bytes.span
        var output = result.mutableSpan
        try decode(input, into: &output)
        return result
    }
}

/// Reads of little-endian fields at a byte index.
extension Span where Element == UInt8 {
    @inline(__always) func i8(_ i: Int) -> Int8 { Int8(bitPattern: self[i]) }
    @inline(__always) func u16(_ i: Int) -> UInt16 { UInt16(self[i]) | UInt16(self[i &+ 1]) &<< 8 }
    @inline(__always) func u32(_ i: Int) -> UInt32 { UInt32(u16(i)) | UInt32(u16(i &+ 2)) &<< 16 }
    @inline(__always) func u64(_ i: Int) -> UInt64 { UInt64(u32(i)) | UInt64(u32(i &+ 4)) &<< 32 }
    @inline(__always) func half(_ i: Int) -> Float { Half.decode(u16(i)) }
}
