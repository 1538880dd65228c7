internal import EdgePlatform
internal import EdgeQuant

/// How a checkpoint's matrices are quantized to four bits, as `quantization_config` says.
struct PackedQuantization: Sendable {
    enum Layout: Sendable {
        /// Eight inputs a word, in order (Frantar et al. 2023); zeros are stored less `zeroOffset`.
        case gptq(zeroOffset: Int)
        /// Eight outputs a word, interleaved (Lin et al. 2024, "gemm").
        case awq
    }

    var layout: Layout
    /// Inputs that share a scale; nil for all.
    var groupLength: Int?

    /// Reads `quantization_config` of config.json, or the file that older tools wrote in its place; nil where there is neither.
    ///
    /// - Throws: `unsupportedTensorType` for other methods and numbers of bits.
    init?(_ config: Settings, _ files: ModelFiles) throws(ConversionError) {
        var stated = try config.optionalObject("quantization_config")
        var method = try stated?.optionalString("quant_method")
        for (name, standard) in [("quantize_config.json", "gptq"), ("quant_config.json", "awq")] where stated == nil {
            stated = try files.json(name)
            method = standard
        }
        guard let quantization = stated else { return nil }
        func refuse(_ what: String) -> ConversionError {
            ConversionError(
                .unsupportedTensorType, "\(what); GPTQ and AWQ of 4 bits are", path: quantization.path,
                key: "quantization_config")
        }
        // AWQ's own names are `w_bit` and `q_group_size`.
        var bits = try quantization.optionalInt("bits", in: 1...64)
        if bits == nil { bits = try quantization.optionalInt("w_bit", in: 1...64) }
        guard bits == 4 else {
            throw refuse("weights quantized by '\(method ?? "")' to this number of bits are not supported")
        }
        var group = try quantization.optionalInt("group_size", in: -1...1 << 24)
        if group == nil { group = try quantization.optionalInt("q_group_size", in: -1...1 << 24) }
        let length = group ?? 128
        guard length == -1 || length > 0 else { throw quantization.invalid("group_size", "is 0") }
        groupLength = length == -1 ? nil : length
        switch method {
        case "gptq":
            // Version 1 of the format stores each zero less 1.
            let isSecond = try quantization.optionalString("checkpoint_format") == "gptq_v2"
            layout = .gptq(zeroOffset: isSecond ? 0 : 1)
        case "awq":
            let version = try quantization.optionalString("version") ?? "gemm"
            guard version.lowercased() == "gemm" else { throw refuse("AWQ's layout '\(version)' is not supported") }
            layout = .awq
        default: throw refuse("weights quantized by '\(method ?? "")' are not supported")
        }
    }
}

/// A linear map of a GPTQ or AWQ checkpoint: [rows, columns] of scale · (level - zero), levels 0 to 15.
///
/// Levels of 4 bits, zeros of 4 bits and scales of half precision are what GGUF's Q4_0 (zero 8 everywhere) and Q5_0 (level - zero + 16,
/// which is 0 to 31 for any zero from 0 to 16) store, a scale for 32 inputs each: both keep every weight exactly.
struct PackedLinear: Sendable {
    let name: String
    /// The tensors it consists of.
    let tensorNames: [String]
    private let rowCount: Int
    private let columnCount: Int
    private let groupLength: Int
    private let layout: PackedQuantization.Layout
    private let levels: ByteView
    private let zeros: ByteView
    private let scales: ByteView
    /// By input its group, where that is not its place divided by the group's length.
    private let groups: [Int32]?
    private let path: String
    /// Whether every zero is 8.
    private let isSymmetric: Bool

    init(
        _ checkpoint: Checkpoint, _ name: String, rows: Int, columns: Int, _ quantization: PackedQuantization
    ) throws(ConversionError) {
        self.name = name + ".qweight"
        (rowCount, columnCount) = (rows, columns)
        layout = quantization.layout
        groupLength = quantization.groupLength ?? columns
        let (whole, rest) = columns.quotientAndRemainder(dividingBy: groupLength)
        let groupCount = whole + (rest > 0 ? 1 : 0)
        func part(_ suffix: String, _ type: SafetensorsType, _ shape: [Int]) throws(ConversionError) -> ByteView {
            guard let tensor = checkpoint.tensor(name + suffix) else {
                throw ConversionError(
                    .missingTensor, "the checkpoint has no such tensor", path: checkpoint.path, tensor: name + suffix)
            }
            guard tensor.shape == shape else {
                throw ConversionError(
                    .tensorShapeMismatch, "the shape is \(tensor.shape), but the settings ask for \(shape)",
                    path: tensor.path, tensor: name + suffix)
            }
            guard tensor.type == type else {
                throw ConversionError(
                    .unsupportedTensorType, "the type is \(tensor.type.rawValue) in place of \(type.rawValue)",
                    path: tensor.path, tensor: name + suffix)
            }
            return tensor.bytes
        }
        guard rows % 8 == 0, columns % 8 == 0 else {
            throw ConversionError(
                .tensorShapeMismatch, "[\(rows), \(columns)] cannot be packed by eight", path: checkpoint.path,
                tensor: self.name)
        }
        switch layout {
        case .gptq: levels = try part(".qweight", .i32, [columns / 8, rows])
        case .awq: levels = try part(".qweight", .i32, [columns, rows / 8])
        }
        zeros = try part(".qzeros", .i32, [groupCount, rows / 8])
        scales = try part(".scales", .f16, [groupCount, rows])
        var names = [".qweight", ".qzeros", ".scales"]
        var groups: [Int32]?
        if case .gptq = layout, checkpoint.has(name + ".g_idx") {
            names.append(".g_idx")
            let index = try part(".g_idx", .i32, [columns])
            var found: [Int32] = []
            var isInOrder = true
            for column in 0..<columns {
                let group = Int32(littleEndian: index.load(at: 4 * column) ?? 0)
                guard group >= 0, group < groupCount else {
                    throw ConversionError(
                        .malformed, "input \(column) is of group \(group), but there are \(groupCount)",
                        path: checkpoint.path, tensor: name + ".g_idx")
                }
                if Int(group) != column / groupLength { isInOrder = false }
                found.append(group)
            }
            if !isInOrder { groups = found }
        }
        self.groups = groups
        tensorNames = names.map { name + $0 }
        path = checkpoint.path
        // Eight zeros of 8, by GPTQ less 1.
        let eights: UInt32 = if case .gptq(zeroOffset: 1) = layout { 0x7777_7777 } else { 0x8888_8888 }
        let words = zeros
        isSymmetric = (0..<words.count / 4).allSatisfy {
            words.load(UInt32.self, at: 4 * $0).map(UInt32.init(littleEndian:)) == eights
        }
    }

    /// Q4_0 where every zero is 8, else Q5_0.
    ///
    /// - Throws: `unsupportedTensorType` where no type of GGUF can keep the weights: inputs of a group lie apart, or groups are
    ///   no multiple of 32.
    func exactType() throws(ConversionError) -> GGMLType {
        guard groups == nil, groupLength % 32 == 0 || groupLength >= columnCount, columnCount % 32 == 0 else {
            throw ConversionError(
                .unsupportedTensorType,
                groups != nil
                    ? "the inputs that share a scale lie apart (desc_act), which no type of GGUF has; "
                        + "a type must be given, such as q8_0"
                    : "groups of \(groupLength) inputs are no multiple of 32; a type must be given, such as q8_0",
                path: path, tensor: name)
        }
        return isSymmetric ? .q4_0 : .q5_0
    }

    /// Blocks of the type that keeps the weights; nil for other types, and where the type's blocks cannot.
    func exactBytes(_ rows: Range<Int>, _ order: RowOrder?, as type: GGMLType) throws(ConversionError) -> [UInt8]? {
        guard type == .q4_0 || type == .q5_0, groups == nil else { return nil }
        let exact = try exactType()
        guard type == exact || exact == .q4_0 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(rows.count * columnCount / 32 * type.blockByteCount)
        for row in rows {
            let source = order?.source(of: row) ?? row
            for block in 0..<columnCount / 32 {
                let group = block * 32 / groupLength
                let bits = scaleBits(group, source)
                bytes.append(UInt8(truncatingIfNeeded: bits))
                bytes.append(UInt8(truncatingIfNeeded: bits >> 8))
                let center = type == .q4_0 ? 8 : 16
                let shift = center - zero(group, source)
                func stored(_ column: Int) -> UInt32 {
                    UInt32(truncatingIfNeeded: level(block * 32 + column, source) + shift)
                }
                if type == .q5_0 {
                    var high: UInt32 = 0
                    for column in 0..<32 { high |= (stored(column) >> 4 & 1) << UInt32(column) }
                    for byte in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: high >> (8 * UInt32(byte)))) }
                }
                for column in 0..<16 {
                    bytes.append(UInt8(truncatingIfNeeded: stored(column) & 15 | (stored(column + 16) & 15) << 4))
                }
            }
        }
        return bytes
    }

    /// Takes the pages of the levels out of memory.
    func letGo() { levels.letGoPages() }

    /// Decoded rows.
    func values(_ rows: Range<Int>, _ order: RowOrder?) -> [Float] {
        var values: [Float] = []
        values.reserveCapacity(rows.count * columnCount)
        for row in rows {
            let source = order?.source(of: row) ?? row
            var column = 0
            while column < columnCount {
                let group = groups.map { Int($0[column]) } ?? column / groupLength
                let end = groups == nil ? min(columnCount, (group + 1) * groupLength) : column + 1
                let scale = Half.decode(scaleBits(group, source))
                let zero = zero(group, source)
                while column < end {
                    values.append(scale * Float(level(column, source) - zero))
                    column += 1
                }
            }
        }
        return values
    }

    /// Where in a word of AWQ the outputs stand.
    private static let interleaved = [0, 4, 1, 5, 2, 6, 3, 7]

    private func word(_ view: ByteView, _ index: Int) -> UInt32 {
        // Sound: the shapes were checked; beyond them a word would be 0.
        UInt32(littleEndian: view.load(UInt32.self, at: 4 * index) ?? 0)
    }

    private func level(_ column: Int, _ row: Int) -> Int {
        switch layout {
        case .gptq: Int(word(levels, column / 8 * rowCount + row) >> UInt32(4 * (column % 8)) & 15)
        case .awq:
            Int(word(levels, column * (rowCount / 8) + row / 8) >> UInt32(4 * Self.interleaved[row % 8]) & 15)
        }
    }

    private func zero(_ group: Int, _ row: Int) -> Int {
        let word = word(zeros, group * (rowCount / 8) + row / 8)
        return switch layout {
        case .gptq(let offset): Int(word >> UInt32(4 * (row % 8)) & 15) + offset
        case .awq: Int(word >> UInt32(4 * Self.interleaved[row % 8]) & 15)
        }
    }

    private func scaleBits(_ group: Int, _ row: Int) -> UInt16 {
        UInt16(littleEndian: scales.load(UInt16.self, at: 2 * (group * rowCount + row)) ?? 0)
    }
}
