internal import EdgeGGUF
internal import EdgeLLM
internal import EdgePlatform
internal import EdgeQuant
public import Foundation

/// How much an error in each column of a model's matrices matters: the mean square of what the column is multiplied with, over a text.
///
/// Read and written in llama.cpp's GGUF format: for each matrix a tensor `NAME.in_sum2` with the sums of squares by column, a row for each
/// expert, and `NAME.counts` with the number of inputs of each expert.
public struct ImportanceMatrix: Sendable {
    /// The sums of one tensor of the model.
    package struct Entry: Sendable {
        /// Sums of squares, those of one expert after the other.
        package var sums: [Float]
        /// Inputs of each expert.
        package var counts: [Float]
    }

    /// By the name of the model's tensor.
    package var entries: [String: Entry]
    /// The names of the texts it was made from.
    public var datasets: [String]
    /// Pieces of text.
    public var chunkCount: Int
    /// Tokens of a piece.
    public var chunkSize: Int

    package init(entries: [String: Entry], datasets: [String], chunkCount: Int, chunkSize: Int) {
        self.entries = entries
        self.datasets = datasets
        self.chunkCount = chunkCount
        self.chunkSize = chunkSize
    }

    /// The names of the tensors it has sums for, sorted.
    public var tensorNames: [String] { entries.keys.sorted() }

    private static let sumsSuffix = ".in_sum2"
    private static let countsSuffix = ".counts"

    /// Reads a file.
    ///
    /// - Throws: `ModelLoadingError` for a damaged file, `QuantizationError` for one that is no importance matrix.
    public init(contentsOf url: URL) throws {
        let file = try ModelLoadingError.reporting(url.path) { try GGUFFile(path: url.path) }
        func wrong(_ message: String, _ tensor: String? = nil) -> QuantizationError {
            QuantizationError(
                .invalidImportance, "\(url.path): \(message); make it again with 'edge-llm imatrix'", tensor: tensor)
        }
        guard file["general.type"]?.text == "imatrix" else { throw wrong("the file is no importance matrix") }
        datasets = file["imatrix.datasets"]?.array?.strings() ?? []
        chunkCount = file["imatrix.chunk_count"]?.int ?? 0
        chunkSize = file["imatrix.chunk_size"]?.int ?? 0
        entries = [:]
        for tensor in file.tensors where tensor.name.hasSuffix(Self.sumsSuffix) {
            let name = String(tensor.name.dropLast(Self.sumsSuffix.count))
            guard let counts = file.tensor(named: name + Self.countsSuffix), tensor.type == .f32, counts.type == .f32,
                counts.valueCount > 0, tensor.valueCount % counts.valueCount == 0
            else { throw wrong("the sums and counts of \(name) do not fit each other", name) }
            let entry = Entry(
                sums: try GGMLType.f32.decode(tensor.bytes.copied()),
                counts: try GGMLType.f32.decode(counts.bytes.copied()))
            guard entry.sums.allSatisfy({ $0.isFinite && $0 >= 0 }), entry.counts.allSatisfy({ $0.isFinite && $0 >= 0 })
            else { throw wrong("the sums of \(name) are not all numbers from 0 on", name) }
            entries[name] = entry
        }
        guard !entries.isEmpty else { throw wrong("the file has no sums") }
    }

    /// Writes the file, in one step.
    ///
    /// - Throws: `QuantizationError` with the code `unwritable`.
    public func write(to url: URL) throws {
        var writer = GGUFWriter()
        writer.set("general.type", .string("imatrix"))
        writer.set("imatrix.datasets", .array(GGUFArray(datasets)))
        writer.set("imatrix.chunk_count", .uint32(UInt32(clamping: chunkCount)))
        writer.set("imatrix.chunk_size", .uint32(UInt32(clamping: chunkSize)))
        do {
            for (name, entry) in entries.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
                let matrices = entry.counts.count
                try writer.add(
                    name: name + Self.sumsSuffix, type: .f32,
                    dimensions: [entry.sums.count / max(1, matrices), matrices],
                    bytes: GGMLType.f32.encode(entry.sums))
                try writer.add(
                    name: name + Self.countsSuffix, type: .f32, dimensions: [1, matrices],
                    bytes: GGMLType.f32.encode(entry.counts))
            }
            try writer.write(to: url.path)
        } catch {
            throw QuantizationError(.unwritable, "\(error)")
        }
    }

    /// The means of a tensor's columns, those of one expert after the other; 1 for an expert that had no input. Nil for a tensor it does not
    /// know.
    package func values(for name: String) -> [Float]? {
        guard let entry = entries[name] else { return nil }
        let columns = entry.sums.count / max(1, entry.counts.count)
        var values = entry.sums
        for (matrix, count) in entry.counts.enumerated() {
            for i in matrix * columns..<(matrix + 1) * columns { values[i] = count > 0 ? values[i] / count : 1 }
        }
        return values
    }

    /// Whether the sums fit a tensor; embeddings are looked up and not multiplied, and have none that mean anything.
    func check(_ tensor: GGUFTensor, encodingTo type: GGMLType) throws {
        guard BlockEncoder.usesImportance(type), let entry = entries[tensor.name] else { return }
        let expected = tensor.dimensions[0] * (tensor.dimensions.count > 2 ? tensor.dimensions[2] : 1)
        guard entry.sums.count == expected else {
            throw QuantizationError(
                .invalidImportance,
                "the importance matrix has \(entry.sums.count) columns for \(tensor.name), the model \(expected): it was made for another model",
                tensor: tensor.name)
        }
    }
}
