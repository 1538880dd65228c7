/// Some queries of one key-value head and one block of positions.
///
/// Plain pointers, already checked by `EdgeKernels`.
package struct AttentionJob {
    /// Positions of a block.
    package static let blockLength = 32

    /// [headSize, 32]: component by component, so that positions lie beside one another.
    package var keys: UnsafePointer<Float>
    /// [32, headSize].
    package var values: UnsafePointer<Float>
    package var headSize: Int
    /// [queryCount, headSize].
    package var queries: UnsafePointer<Float>
    package var queryCount: Int
    /// The positions of the block that all of the queries see; others may hold anything.
    package var lower: Int
    package var upper: Int
    /// Factor of the scores.
    package var scale: Float
    /// Scores s become softcap * tanh(s / softcap); 0 for none.
    package var softcap: Float
    /// Room for [queryCount, 32].
    package var scores: UnsafeMutablePointer<Float>
    /// Room for [queryCount].
    package var factors: UnsafeMutablePointer<Float>
    /// [queryCount] each: the largest score so far, and the sum of e^(score - that).
    package var maxima: UnsafeMutablePointer<Float>
    package var sums: UnsafeMutablePointer<Float>
    /// [queryCount, headSize]: the sum of values so weighted.
    package var outputs: UnsafeMutablePointer<Float>
    /// Keys and values where they are codes; `keys` and `values` are not read then.
    package var coded: CodedBlock?

    package init(
        keys: UnsafePointer<Float>, values: UnsafePointer<Float>, headSize: Int, queries: UnsafePointer<Float>,
        queryCount: Int, lower: Int, upper: Int, scale: Float, softcap: Float, scores: UnsafeMutablePointer<Float>,
        factors: UnsafeMutablePointer<Float>, maxima: UnsafeMutablePointer<Float>, sums: UnsafeMutablePointer<Float>,
        outputs: UnsafeMutablePointer<Float>, coded: CodedBlock? = nil
    ) {
        self.keys = keys
        self.values = values
        self.headSize = headSize
        self.queries = queries
        self.queryCount = queryCount
        self.lower = lower
        self.upper = upper
        self.scale = scale
        self.softcap = softcap
        self.scores = scores
        self.factors = factors
        self.maxima = maxima
        self.sums = sums
        self.outputs = outputs
        self.coded = coded
    }
}

/// A block of positions whose keys and values are codes with a scale for each 32 components; in what order, `CodedBlocks` of
/// EdgeKernels says.
package struct CodedBlock {
    /// Groups of 32 components.
    package var blockCount: Int
    /// Whether codes have 4 bits.
    package var isNibbles: Bool
    package var keyCodes: UnsafeRawPointer
    /// Halves, [blockCount, 32].
    package var keyScales: UnsafePointer<UInt16>
    package var valueCodes: UnsafeRawPointer
    package var valueScales: UnsafePointer<UInt16>
    /// Of the queries as a sum of two int8 terms: codes [queryCount, 2, blockCount, 32], scales [queryCount, 2, blockCount], sums of
    /// 16 [queryCount, 2, blockCount, 2].
    package var queryCodes: UnsafeRawPointer
    package var queryScales: UnsafePointer<Float>
    package var querySums: UnsafePointer<Int16>
    /// Room for 48 floats.
    package var scratch: UnsafeMutablePointer<Float>

    package init(
        blockCount: Int, isNibbles: Bool, keyCodes: UnsafeRawPointer, keyScales: UnsafePointer<UInt16>,
        valueCodes: UnsafeRawPointer, valueScales: UnsafePointer<UInt16>, queryCodes: UnsafeRawPointer,
        queryScales: UnsafePointer<Float>, querySums: UnsafePointer<Int16>, scratch: UnsafeMutablePointer<Float>
    ) {
        self.blockCount = blockCount
        self.isNibbles = isNibbles
        self.keyCodes = keyCodes
        self.keyScales = keyScales
        self.valueCodes = valueCodes
        self.valueScales = valueScales
        self.queryCodes = queryCodes
        self.queryScales = queryScales
        self.querySums = querySums
        self.scratch = scratch
    }
}
