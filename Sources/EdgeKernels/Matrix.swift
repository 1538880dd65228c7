internal import EdgeKernelJobs
package import EdgePlatform
package import EdgeQuant

/// A weight matrix as it lies in the file: `rowCount` rows (outputs) of `columnCount` values (inputs) of one ggml type.
///
/// The bytes stay where they are mapped. This is the interface behind which kernels may change: a matrix with a type, multiplied
/// by a batch of vectors, a range of output rows per call, so that a thread team can share it out.
package struct Matrix: Sendable {
    package let type: GGMLType
    package let rowCount: Int
    package let columnCount: Int
    /// The encoded rows, `rowByteCount` bytes each, without gaps.
    package let bytes: ByteView
    package let rowByteCount: Int

    /// Describes the matrix, or nil when the bytes are not exactly those of the shape.
    package init?(type: GGMLType, rowCount: Int, columnCount: Int, bytes: ByteView) {
        guard rowCount >= 0, columnCount > 0, let rowByteCount = type.byteCount(valueCount: columnCount) else {
            return nil
        }
        let (total, overflow) = rowByteCount.multipliedReportingOverflow(by: rowCount)
        guard !overflow, total == bytes.count else { return nil }
        self.type = type
        self.rowCount = rowCount
        self.columnCount = columnCount
        self.bytes = bytes
        self.rowByteCount = rowByteCount
    }

    /// The rows of the range as a matrix of their own, sharing the bytes; nil when out of bounds.
    package func slice(rows: Range<Int>) -> Matrix? {
        guard rows.lowerBound >= 0, rows.upperBound <= rowCount,
            let part = bytes.slice(at: rows.lowerBound * rowByteCount, byteCount: rows.count * rowByteCount)
        else { return nil }
        return Matrix(type: type, rowCount: rows.count, columnCount: columnCount, bytes: part)
    }

    /// Decodes one row to f32.
    package func decode(row: Int, into output: Rows, at outputRow: Int) {
        precondition(row >= 0 && row < rowCount && outputRow >= 0 && outputRow < output.rowCount, "row out of bounds")
        precondition(output.columnCount >= columnCount, "row too short")
        unsafe bytes.withUnsafeBytes { decode(row, of: $0, into: output.pointer(row: outputRow)) }
    }

    /// Decodes one row that is read from the file, by way of a worker's part of a buffer: the pages of the mapping stay untouched.
    ///
    /// - Throws: `PlatformError` when it cannot be read.
    package func decode(
        readingRow row: Int, into output: Rows, at outputRow: Int, buffer: AlignedBuffer<UInt8>, worker: Int
    ) throws(PlatformError) {
        precondition(row >= 0 && row < rowCount && outputRow >= 0 && outputRow < output.rowCount, "row out of bounds")
        precondition(output.columnCount >= columnCount, "row too short")
        let place = worker * rowByteCount
        try bytes.read(at: row * rowByteCount, byteCount: rowByteCount, into: buffer, at: place)
        unsafe buffer.view(at: place, byteCount: rowByteCount).withUnsafeBytes {
            decode(0, of: $0, into: output.pointer(row: outputRow))
        }
    }

    /// y[t, outputColumn + r - rows.lowerBound] = sum over c of W[r, c] x[t, inputColumn + c], for the rows of the one range and the
    /// tokens of the other; `accumulating` adds to y instead.
    ///
    /// Each output is one dot product in the fixed order of its kernel, so the bits do not depend on how rows and tokens are shared out.
    /// `scratch` has a row for each worker, `scratchColumnCount(columnCount:)` long.
    package func multiply(
        _ x: Rows, inputColumn: Int = 0, tokens: Range<Int>, rows: Range<Int>, into y: Rows, outputColumn: Int,
        accumulating: Bool = false, scratch: Rows, worker: Int, kernels: Kernels = .chosen
    ) {
        guard !rows.isEmpty, !tokens.isEmpty else { return }
        precondition(rows.lowerBound >= 0 && rows.upperBound <= rowCount, "matrix rows out of bounds")
        precondition(tokens.lowerBound >= 0 && tokens.upperBound <= min(x.rowCount, y.rowCount), "tokens out of bounds")
        precondition(inputColumn >= 0 && columnCount <= x.columnCount - inputColumn, "input too short")
        precondition(outputColumn >= 0 && rows.count <= y.columnCount - outputColumn, "output too short")
        precondition(
            scratch.columnCount >= Self.scratchColumnCount(columnCount: columnCount) && worker < scratch.rowCount,
            "scratch too small")
        let memory = scratch.pointer(row: worker)
        unsafe bytes.withUnsafeBytes { encoded in
            guard let base = encoded.baseAddress else { return }
            var job = FloatProductJob(
                weights: base + rows.lowerBound * rowByteCount, rowByteCount: rowByteCount, rowCount: rows.count,
                columnCount: columnCount, input: x.pointer(row: tokens.lowerBound, column: inputColumn),
                inputStride: x.stride,
                tokenCount: tokens.count, output: y.pointer(row: tokens.lowerBound, column: outputColumn),
                outputStride: y.stride, isAccumulating: accumulating, scratch: UnsafeMutableRawPointer(memory))
            if let product = kernels.functions.floatProduct(type.rawValue) {
                product(&job)
            } else if let product = kernels.functions.floatProduct(GGMLType.f32.rawValue) {
                // Row by row: decoded behind the kernel's own scratch, then like any row of floats.
                let decoded = memory + FloatProductJob.scratchByteCount / 4
                job.weights = UnsafeRawPointer(decoded)
                job.rowCount = 1
                for row in rows {
                    decode(row, of: encoded, into: decoded)
                    product(&job)
                    job.output += 1
                }
            }
        }
    }

    /// The same product from int8 activations: what `quantized` holds of `x`, in the blocks that this type asks for.
    ///
    /// Each output is a sum over blocks in ascending order, in f32 without fused operations, of exact integer sums: the bits do
    /// not depend on how rows and tokens are shared out, nor on the instruction set. Types without an int8 kernel, and
    /// activations that were not quantized, take the f32 path.
    /// `scratch` has a row for each worker, `scratchColumnCount(columnCount:)` long; `floatKernels` multiply in f32.
    package func multiply(
        _ x: Rows, quantized: QuantizedRows?, tokens: Range<Int>, rows: Range<Int>, into y: Rows, outputColumn: Int,
        accumulating: Bool = false, scratch: Rows, worker: Int, floatKernels: Kernels = .chosen
    ) {
        guard let quantized, let blocks = type.activationBlocks, let form = quantized.form(blocks),
            let product = quantized.kernels.functions.product(type.rawValue)
        else {
            multiply(
                x, tokens: tokens, rows: rows, into: y, outputColumn: outputColumn, accumulating: accumulating,
                scratch: scratch, worker: worker, kernels: floatKernels)
            return
        }
        guard !rows.isEmpty, !tokens.isEmpty else { return }
        precondition(rows.lowerBound >= 0 && rows.upperBound <= rowCount, "matrix rows out of bounds")
        precondition(
            tokens.lowerBound >= 0 && tokens.upperBound <= min(quantized.rowCount, y.rowCount), "tokens out of bounds")
        precondition(columnCount <= form.columnCount, "input too short")
        precondition(outputColumn >= 0 && rows.count <= y.columnCount - outputColumn, "output too short")
        precondition(
            scratch.columnCount >= Self.scratchColumnCount(columnCount: columnCount) && worker < scratch.rowCount,
            "scratch too small")
        unsafe bytes.withUnsafeBytes { encoded in
            guard let base = encoded.baseAddress else { return }
            let first = tokens.lowerBound
            var job = ProductJob(
                weights: base + rows.lowerBound * rowByteCount, rowByteCount: rowByteCount, rowCount: rows.count,
                columnCount: columnCount, codes: UnsafeRawPointer(form.codes.base + first * form.codeStride),
                codeStride: form.codeStride, scales: form.scales.base + first * form.scaleStride,
                scaleStride: form.scaleStride, sums: form.sums.base + first * form.sumStride,
                sumStride: form.sumStride, tokenCount: tokens.count,
                output: y.pointer(row: first, column: outputColumn), outputStride: y.stride,
                isAccumulating: accumulating, scratch: UnsafeMutableRawPointer(scratch.pointer(row: worker)))
            product(&job)
        }
        if let second = quantized.second {
            multiply(
                x, quantized: second, tokens: tokens, rows: rows, into: y, outputColumn: outputColumn,
                accumulating: true, scratch: scratch, worker: worker)
        }
    }

    /// The floats of scratch that a product of this width needs for each worker.
    package static func scratchColumnCount(columnCount: Int) -> Int {
        max(
            columnCount + FloatProductJob.scratchByteCount / 4,
            ProductJob.scratchByteCount(columnCount: columnCount) / 4)
    }

    /// The blocks in which a product wants its activations quantized; empty for types that multiply in f32.
    package var activationBlocks: ActivationBlocks { type.activationBlocks ?? [] }

    private func decode(_ row: Int, of encoded: UnsafeRawBufferPointer, into output: UnsafeMutablePointer<Float>) {
        let source = UnsafeRawBufferPointer(rebasing: encoded[row * rowByteCount..<(row + 1) * rowByteCount])
        let input = Span<UInt8>(_unsafeElements: source.bindMemory(to: UInt8.self))
        var values = MutableSpan<Float>(_unsafeElements: UnsafeMutableBufferPointer(start: output, count: columnCount))
        // The lengths agree by construction, so decoding cannot fail.
        do { try type.decode(input, into: &values) } catch { assertionFailure("decode: \(error)") }
    }
}
