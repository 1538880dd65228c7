/// What a matrix product kernel works on: encoded rows, quantized activations, and where the outputs go.
///
/// Plain pointers, already checked by `EdgeKernels`. One struct for all instruction sets, so that a kernel is one function of
/// one argument, whichever room it lives in.
package struct ProductJob {
    /// The first of `rowCount` encoded rows, `rowByteCount` bytes apart.
    package var weights: UnsafeRawPointer
    package var rowByteCount: Int
    package var rowCount: Int
    /// Values in a row: a whole number of the type's blocks.
    package var columnCount: Int
    /// The first of `tokenCount` rows of int8 activations, `codeStride` bytes apart.
    package var codes: UnsafeRawPointer
    package var codeStride: Int
    /// One f32 for each block of 32 or 256 activations; rows `scaleStride` floats apart, a whole number of eights.
    package var scales: UnsafePointer<Float>
    package var scaleStride: Int
    /// The sum of each 16 activations; rows `sumStride` apart, the sums of a whole number of eights of blocks.
    package var sums: UnsafePointer<Int16>
    package var sumStride: Int
    package var tokenCount: Int
    /// Output of row 0 for token 0; the rows' outputs follow, the next token is `outputStride` floats on.
    package var output: UnsafeMutablePointer<Float>
    package var outputStride: Int
    /// Whether the products are added to what stands in the output.
    package var isAccumulating: Bool
    /// At least `scratchByteCount(columnCount:)` bytes on a 64-byte border.
    package var scratch: UnsafeMutableRawPointer

    package init(
        weights: UnsafeRawPointer, rowByteCount: Int, rowCount: Int, columnCount: Int, codes: UnsafeRawPointer,
        codeStride: Int, scales: UnsafePointer<Float>, scaleStride: Int, sums: UnsafePointer<Int16>, sumStride: Int,
        tokenCount: Int, output: UnsafeMutablePointer<Float>, outputStride: Int, isAccumulating: Bool,
        scratch: UnsafeMutableRawPointer
    ) {
        self.weights = weights
        self.rowByteCount = rowByteCount
        self.rowCount = rowCount
        self.columnCount = columnCount
        self.codes = codes
        self.codeStride = codeStride
        self.scales = scales
        self.scaleStride = scaleStride
        self.sums = sums
        self.sumStride = sumStride
        self.tokenCount = tokenCount
        self.output = output
        self.outputStride = outputStride
        self.isAccumulating = isAccumulating
        self.scratch = scratch
    }

    /// Bytes of scratch for rows of this length: a panel of 16 rows, and the running sums of a tile.
    ///
    /// 16 bytes of codes a column; the scales, corrections and minimums of a superblock of 256 columns take up to 2176 bytes
    /// more, and those of eight blocks of 32 take 1024.
    package static func scratchByteCount(columnCount: Int) -> Int { (columnCount + 255) / 256 * (4096 + 2176) + 1024 }
}

/// The same for weights that are floats: activations are f32, and each output is one dot product in 16 lanes.
package struct FloatProductJob {
    package var weights: UnsafeRawPointer
    package var rowByteCount: Int
    package var rowCount: Int
    package var columnCount: Int
    /// The first of `tokenCount` rows of activations, `inputStride` floats apart.
    package var input: UnsafePointer<Float>
    package var inputStride: Int
    package var tokenCount: Int
    package var output: UnsafeMutablePointer<Float>
    package var outputStride: Int
    package var isAccumulating: Bool
    /// At least `scratchByteCount` bytes on a 64-byte border.
    package var scratch: UnsafeMutableRawPointer

    package init(
        weights: UnsafeRawPointer, rowByteCount: Int, rowCount: Int, columnCount: Int, input: UnsafePointer<Float>,
        inputStride: Int, tokenCount: Int, output: UnsafeMutablePointer<Float>, outputStride: Int, isAccumulating: Bool,
        scratch: UnsafeMutableRawPointer
    ) {
        self.weights = weights
        self.rowByteCount = rowByteCount
        self.rowCount = rowCount
        self.columnCount = columnCount
        self.input = input
        self.inputStride = inputStride
        self.tokenCount = tokenCount
        self.output = output
        self.outputStride = outputStride
        self.isAccumulating = isAccumulating
        self.scratch = scratch
    }

    /// Bytes of scratch: sixteen lanes of three rows by eight tokens, and spans of 512 columns of eight tokens and 48 rows.
    package static let scratchByteCount = (3 * 8 * 16 + 8 * 512 + 132 * 512) * 4
}

/// The kernels of one instruction set: functions over plain pointers, found once when a matrix is bound.
package struct KernelSet: Sendable {
    package typealias Product = @Sendable (UnsafePointer<ProductJob>) -> Void
    package typealias FloatProduct = @Sendable (UnsafePointer<FloatProductJob>) -> Void
    /// Quantizes `count` floats in blocks: codes, a scale for each block, a sum for each 16 values.
    package typealias Quantize =
        @Sendable (
            UnsafePointer<Float>, _ count: Int, _ codes: UnsafeMutableRawPointer, _ scales: UnsafeMutablePointer<Float>,
            _ sums: UnsafeMutablePointer<Int16>
        ) -> Void

    /// Attention of some queries to one block of positions.
    package typealias FoldBlock = @Sendable (UnsafePointer<AttentionJob>) -> Void
    /// Halves to floats; as much from `ahead` on is asked for meanwhile.
    package typealias DecodeHalves =
        @Sendable (
            UnsafePointer<UInt16>, _ count: Int, UnsafeMutablePointer<Float>, _ ahead: UnsafeRawPointer?
        ) -> Void
    /// Halves are stored `stride` apart.
    package typealias EncodeHalves =
        @Sendable (UnsafePointer<Float>, _ count: Int, UnsafeMutablePointer<UInt16>, _ stride: Int) -> Void
    /// gate[i] = f(gate[i]) * up[i], or f(gate[i]) without `up`; f is GELU or SiLU.
    package typealias Activate =
        @Sendable (_ isGELU: Bool, _ gate: UnsafeMutablePointer<Float>, _ up: UnsafePointer<Float>?, _ count: Int) ->
        Void

    package let name: String
    package let quantize32: Quantize
    package let quantize256: Quantize
    /// The product for a type by its ggml number, or nil where there is none.
    package let product: @Sendable (UInt32) -> Product?
    package var floatProduct: @Sendable (UInt32) -> FloatProduct?
    package let foldBlock: FoldBlock
    package let decodeHalves: DecodeHalves
    package let encodeHalves: EncodeHalves
    package let activate: Activate
    /// Runs int8 arithmetic in registers so many times; for zero, the operations of one time.
    package let peak: @Sendable (Int) -> Double
    /// Reads so many bytes, a multiple of 128, as fast as it can, and says something that depends on all of them.
    package let read: @Sendable (UnsafeRawPointer, Int) -> UInt64

    package init(
        name: String, quantize32: @escaping Quantize, quantize256: @escaping Quantize,
        product: @escaping @Sendable (UInt32) -> Product?, floatProduct: @escaping @Sendable (UInt32) -> FloatProduct?,
        foldBlock: @escaping FoldBlock, decodeHalves: @escaping DecodeHalves, encodeHalves: @escaping EncodeHalves,
        activate: @escaping Activate, peak: @escaping @Sendable (Int) -> Double,
        read: @escaping @Sendable (UnsafeRawPointer, Int) -> UInt64
    ) {
        self.name = name
        self.quantize32 = quantize32
        self.quantize256 = quantize256
        self.product = product
        self.floatProduct = floatProduct
        self.foldBlock = foldBlock
        self.decodeHalves = decodeHalves
        self.encodeHalves = encodeHalves
        self.activate = activate
        self.peak = peak
        self.read = read
    }
}
