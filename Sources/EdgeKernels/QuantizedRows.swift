internal import EdgeKernelJobs
package import EdgePlatform

/// Rows of activations as int8, beside the f32 rows they were made from.
///
/// In blocks of 32 values, of 256, or both: a row may meet weights of several types. Each block has a scale a = max |x| / 127
/// and codes q = round(x / a), ties to even, and each 16 values their sum. A block with an infinity or NaN has scale NaN, and so
/// has every output of that token.
///
/// With two terms what rounding took away is quantized again, to a scale some 254 times finer, and a product adds both: about 16
/// bits of each activation for twice the work.
/// `@unchecked Sendable`: threads write disjoint rows between barriers.
package final class QuantizedRows: @unchecked Sendable {
    package let rowCount: Int
    package let columnCount: Int
    package let kernels: Kernels
    let of32: Form?
    let of256: Form?
    /// The second term, and the rows it is made from.
    let second: QuantizedRows?
    /// The second term, to test with.
    package var secondTerm: QuantizedRows? { second }
    private let remainder: Rows?

    /// One block length's codes [rowCount, columnCount], scales [rowCount, blocks] and sums [rowCount, columnCount / 16].
    final class Form {
        let columnCount: Int
        let codeStride: Int
        let scaleStride: Int
        let sumStride: Int
        let codes: AlignedBuffer<Int8>
        let scales: AlignedBuffer<Float>
        let sums: AlignedBuffer<Int16>

        init(rowCount: Int, columnCount: Int, blockLength: Int) throws(PlatformError) {
            // Only whole blocks are ever multiplied: a matrix of other widths has another type.
            self.columnCount = columnCount / blockLength * blockLength
            // An odd number of cache lines, as in `Rows`.
            codeStride = ((columnCount + 63) / 64 | 1) * 64
            // In whole eights of blocks: kernels load eight scales, and the sums of eight blocks, at once.
            let padded = (columnCount / blockLength + 7) / 8 * 8
            scaleStride = padded
            sumStride = padded * (blockLength / 16)
            let (total, overflow) = codeStride.multipliedReportingOverflow(by: rowCount)
            guard !overflow else { throw .outOfMemory("\(rowCount) x \(columnCount) activations") }
            codes = try AlignedBuffer(count: total)
            scales = try AlignedBuffer(count: scaleStride * rowCount)
            sums = try AlignedBuffer(count: sumStride * rowCount)
        }

        var byteCount: Int { codes.byteCount + scales.byteCount + sums.byteCount }
    }

    /// Allocates zeros.
    ///
    /// - Throws: `PlatformError` when there is no memory.
    package init(
        rowCount: Int, columnCount: Int, blocks: ActivationBlocks, hasTwoTerms: Bool = false,
        kernels: Kernels = .chosen
    ) throws(PlatformError) {
        self.rowCount = max(0, rowCount)
        self.columnCount = max(0, columnCount)
        self.kernels = kernels
        of32 =
            blocks.contains(.of32)
            ? try Form(rowCount: self.rowCount, columnCount: self.columnCount, blockLength: 32) : nil
        of256 =
            blocks.contains(.of256)
            ? try Form(rowCount: self.rowCount, columnCount: self.columnCount, blockLength: 256) : nil
        second =
            hasTwoTerms
            ? try QuantizedRows(rowCount: rowCount, columnCount: columnCount, blocks: blocks, kernels: kernels) : nil
        remainder = hasTwoTerms ? try Rows(rowCount: self.rowCount, columnCount: self.columnCount) : nil
    }

    package var byteCount: Int {
        (of32?.byteCount ?? 0) + (of256?.byteCount ?? 0) + (second?.byteCount ?? 0) + (remainder?.byteCount ?? 0)
    }

    /// Quantizes one row of activations to the same row here.
    package func quantize(_ x: Rows, row: Int, blocks: ActivationBlocks) {
        precondition(row >= 0 && row < rowCount && row < x.rowCount, "row out of bounds")
        precondition(x.columnCount >= columnCount, "row too short")
        let source = UnsafePointer(x.pointer(row: row))
        if blocks.contains(.of32), let form = of32 {
            kernels.functions.quantize32(
                source, form.columnCount, form.codes.base + row &* form.codeStride,
                form.scales.base + row &* form.scaleStride, form.sums.base + row &* form.sumStride)
        }
        if blocks.contains(.of256), let form = of256 {
            kernels.functions.quantize256(
                source, form.columnCount, form.codes.base + row &* form.codeStride,
                form.scales.base + row &* form.scaleStride, form.sums.base + row &* form.sumStride)
        }
        quantizeRemainder(of: source, row: row, blocks: blocks)
    }

    /// Quantizes what the first term leaves of a row: x - scale * code.
    private func quantizeRemainder(of x: UnsafePointer<Float>, row: Int, blocks: ActivationBlocks) {
        guard let second, let remainder else { return }
        let rest = remainder.pointer(row: row)
        for (form, block, length) in [(of32, ActivationBlocks.of32, 32), (of256, .of256, 256)] {
            guard let form, blocks.contains(block) else { continue }
            let codes = form.codes.base + row &* form.codeStride
            let scales = form.scales.base + row &* form.scaleStride
            for i in 0..<form.columnCount { rest[i] = x[i] - Float(codes[i]) * scales[i / length] }
            second.quantize(remainder, row: row, blocks: block)
        }
    }

    /// A copy of one row's codes and scales, to test with.
    package func codes(row: Int, blocks: ActivationBlocks) -> (codes: [Int8], scales: [Float]) {
        precondition(row >= 0 && row < rowCount, "row out of bounds")
        guard let form = form(blocks) else { return ([], []) }
        let count = form.columnCount / (blocks == .of32 ? 32 : 256)
        return (
            (0..<form.columnCount).map { form.codes[row * form.codeStride + $0] },
            (0..<count).map { form.scales[row * form.scaleStride + $0] }
        )
    }

    /// A copy of one row's sums of 16, to test with.
    package func sums(row: Int, blocks: ActivationBlocks) -> [Int16] {
        precondition(row >= 0 && row < rowCount, "row out of bounds")
        guard let form = form(blocks) else { return [] }
        return (0..<form.columnCount / 16).map { form.sums[row * form.sumStride + $0] }
    }

    func form(_ blocks: ActivationBlocks) -> Form? {
        switch blocks {
        case .of32: of32
        case .of256: of256
        default: nil
        }
    }
}
