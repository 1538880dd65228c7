extension GGMLType {
    /// Decodes whole blocks to f32, with the float operations of ggml's reference in the same order.
    ///
    /// Any byte pattern decodes: a scale of NaN or infinity gives such values.
    /// - Throws: `lengthMismatch` unless `bytes.count` is `byteCount(valueCount: output.count)`.
    package func decode(_ bytes: Span<UInt8>, into output: inout MutableSpan<Float>) throws(QuantError) {
        guard byteCount(valueCount: output.count) == bytes.count else {
            throw .length(self, values: output.count, bytes: bytes.count)
        }
        switch self {
        case .f32: decodeF32(bytes, &output)
        case .f64: decodeF64(bytes, &output)
        case .f16: decodeF16(bytes, &output)
        case .bf16: decodeBF16(bytes, &output)
        case .i8: decodeI8(bytes, &output)
        case .i16: decodeI16(bytes, &output)
        case .i32: decodeI32(bytes, &output)
        case .i64: decodeI64(bytes, &output)
        case .q4_0: decodeQ4_0(bytes, &output)
        case .q4_1: decodeQ4_1(bytes, &output)
        case .q5_0: decodeQ5_0(bytes, &output)
        case .q5_1: decodeQ5_1(bytes, &output)
        case .q8_0: decodeQ8_0(bytes, &output)
        case .q2K: decodeQ2K(bytes, &output)
        case .q3K: decodeQ3K(bytes, &output)
        case .q4K: decodeQ4K(bytes, &output)
        case .q5K: decodeQ5K(bytes, &output)
        case .q6K: decodeQ6K(bytes, &output)
        case .iq4NL: decodeIQ4NL(bytes, &output)
        case .iq4XS: decodeIQ4XS(bytes, &output)
        case .tq1_0: decodeTQ1_0(bytes, &output)
        case .tq2_0: decodeTQ2_0(bytes, &output)
        case .mxfp4: decodeMXFP4(bytes, &output)
        }
    }

    /// Decodes whole blocks to an array of f32.
    ///
    /// - Throws: `lengthMismatch` when the bytes are no whole number of blocks.
    package func decode(_ bytes: [UInt8]) throws(QuantError) -> [Float] {
        let (blocks, rest) = bytes.count.quotientAndRemainder(dividingBy: blockByteCount)
        let (count, overflow) = blocks.multipliedReportingOverflow(by: blockLength)
        guard rest == 0, !overflow else { throw .length(self, values: count, bytes: bytes.count) }
        var output = [Float](repeating: 0, count: count)
        var span = output.mutableSpan
        try decode(bytes.span, into: &span)
        return output
    }
}
