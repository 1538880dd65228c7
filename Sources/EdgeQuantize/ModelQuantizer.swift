internal import EdgeEngine
package import EdgeGGUF
internal import EdgeGrammar
internal import EdgeLLM
internal import EdgePlatform
internal import EdgeQuant
public import Foundation

/// Writes a model with its weights in smaller types.
///
/// The file is read and written tensor by tensor, in pieces of a few megabytes, whatever its size. Nothing appears under the result's
/// name until all of it is on the disk.
///
/// ```swift
/// let quantizer = try ModelQuantizer(contentsOf: input, options: .init(recipe: .init("Q4_K_M")!))
/// try await quantizer.write(to: output)
/// ```
public struct ModelQuantizer: Sendable {
    /// A type for the tensors whose names match a pattern.
    public struct Rule: Sendable, Hashable {
        /// A regular expression that is searched for in names: `attn_v`, `blk\.[0-3]\.ffn_.*`.
        public var pattern: String
        /// The type.
        public var type: TensorType

        /// A rule.
        public init(pattern: String, type: TensorType) {
            self.pattern = pattern
            self.type = type
        }
    }

    /// What to write.
    public struct Options: Sendable {
        /// Which tensor gets which type.
        public var recipe: QuantizationRecipe
        /// Whether all tensors get the recipe's base type.
        public var isPure: Bool
        /// Whether tensors that are quantized already may be quantized again, which loses more than starting from the original.
        public var allowsRequantizing: Bool
        /// The type of the matrix that logits are computed with; nil for the recipe's.
        public var outputType: TensorType?
        /// The type of the embeddings; nil for the recipe's.
        public var embeddingType: TensorType?
        /// Types for some tensors, the first that matches; they precede what the recipe says.
        public var rules: [Rule]
        /// How much errors matter; nil where all matter alike.
        public var importance: ImportanceMatrix?
        /// How columns make up for each other's errors; nil for rounding each block by itself, as llama.cpp does.
        public var feedback: ErrorFeedback?
        /// Scales that leave less error where inputs are large; nil for the weights as they are.
        public var scaling: ActivationScaling?
        /// Threads that compute; nil for the physical cores this process may use. Does not change a bit of the result.
        public var threadCount: Int?

        /// Options; the defaults are those of llama.cpp's quantizer.
        public init(
            recipe: QuantizationRecipe, isPure: Bool = false, allowsRequantizing: Bool = false,
            outputType: TensorType? = nil, embeddingType: TensorType? = nil, rules: [Rule] = [],
            importance: ImportanceMatrix? = nil, feedback: ErrorFeedback? = nil,
            scaling: ActivationScaling? = nil, threadCount: Int? = nil
        ) {
            self.recipe = recipe
            self.isPure = isPure
            self.allowsRequantizing = allowsRequantizing
            self.outputType = outputType
            self.embeddingType = embeddingType
            self.rules = rules
            self.importance = importance
            self.feedback = feedback
            self.scaling = scaling
            self.threadCount = threadCount
        }
    }

    /// A tensor, and what becomes of it.
    public struct PlannedTensor: Sendable, Hashable {
        /// Its name.
        public let name: String
        /// One to four lengths, the length of a row first.
        public let dimensions: [Int]
        /// The type it has.
        public let oldType: String
        /// The type it gets.
        public let newType: String
        /// Bytes it has.
        public let oldByteCount: Int
        /// Bytes it gets.
        public let newByteCount: Int
    }

    /// A tensor and the type it gets.
    struct Step: Sendable {
        let tensor: GGUFTensor
        let type: GGMLType
        let newByteCount: Int
    }

    let file: GGUFFile
    let steps: [Step]
    private let options: Options
    /// Pairs that the result has beside those of the input.
    package var additions: [(key: String, value: GGUFValue)] = []

    /// Reads a model's header, and decides what each tensor becomes; of a split model, give any part.
    ///
    /// - Throws: `ModelLoadingError` for a damaged file, `QuantizationError` for options that do not fit it.
    public init(contentsOf url: URL, options: Options) throws {
        let file = try ModelLoadingError.reporting(url.path) { try GGUFFile(path: url.path) }
        try self.init(file, options: options)
    }

    package init(_ file: GGUFFile, options: Options) throws {
        guard (1...256).contains(options.threadCount ?? 1) else {
            throw QuantizationError(.invalidOptions, "give 1 to 256 threads")
        }
        self.file = file
        self.options = options
        var rules: [(pattern: SearchPattern, rule: Rule)] = []
        for rule in options.rules {
            do {
                rules.append((try SearchPattern(rule.pattern), rule))
            } catch {
                throw QuantizationError(.invalidPattern, "'\(rule.pattern)': \(error)")
            }
        }
        var chooser = RecipeChooser(options.recipe, for: file, hasImportance: options.importance != nil)
        var used = Set<Int>()
        var steps: [Step] = []
        for tensor in GGUFTensorOrder.sorted(file.tensors) {
            let found = rules.firstIndex { $0.pattern.isFound(in: tensor.name) }
            if let found { used.insert(found) }
            let type = try Self.choose(
                tensor, &chooser, options, rule: found.map { rules[$0].rule.type.type })
            guard tensor.dimensions[0] % type.blockLength == 0,
                let byteCount = type.byteCount(valueCount: tensor.valueCount)
            else {
                throw QuantizationError(
                    .unfitShape,
                    "\(tensor.name): rows of \(tensor.dimensions[0]) values are no multiple of the \(type.blockLength) of \(type.name)",
                    tensor: tensor.name)
            }
            if type != tensor.type {
                try Self.checkSource(tensor, type, options)
                try options.importance?.check(tensor, encodingTo: type)
            }
            steps.append(Step(tensor: tensor, type: type, newByteCount: byteCount))
        }
        if let unused = rules.indices.first(where: { !used.contains($0) }) {
            throw QuantizationError(
                .invalidPattern, "no tensor's name matches '\(rules[unused].rule.pattern)'; 'inspect' lists the names")
        }
        self.steps = steps
    }

    private static func choose(
        _ tensor: GGUFTensor, _ chooser: inout RecipeChooser, _ options: Options, rule: GGMLType?
    ) throws -> GGMLType {
        guard RecipeChooser.mayQuantize(tensor) else { return tensor.type }
        if let type = options.embeddingType, RecipeChooser.isEmbedding(tensor.name) { return type.type }
        if let type = options.outputType, RecipeChooser.isOutput(tensor.name) { return type.type }
        let columns = tensor.dimensions[0]
        if let rule { return RecipeChooser.fitting(rule, columns: columns) }
        let base = options.recipe.base
        guard base.blockLength > 1 else { return base }
        if options.isPure { return RecipeChooser.fitting(base, columns: columns) }
        return RecipeChooser.fitting(
            chooser.choose(
                tensor.name, columns: columns, output: options.outputType?.type, embedding: options.embeddingType?.type),
            columns: columns)
    }

    private static func checkSource(_ tensor: GGUFTensor, _ type: GGMLType, _ options: Options) throws {
        switch tensor.type {
        case .f32, .f16, .bf16: break
        case .i8, .i16, .i32, .i64, .f64:
            throw QuantizationError(
                .unfitShape, "\(tensor.name): values of type \(tensor.type.name) are no weights", tensor: tensor.name)
        default:
            guard !options.allowsRequantizing else { return }
            throw QuantizationError(
                .requantization,
                "\(tensor.name) is quantized already, to \(tensor.type.name); start from the original, or allow requantizing",
                tensor: tensor.name)
        }
    }

    /// What becomes of each tensor, in the order of the result.
    public var plan: [PlannedTensor] {
        steps.map {
            PlannedTensor(
                name: $0.tensor.name, dimensions: $0.tensor.dimensions, oldType: $0.tensor.type.name,
                newType: $0.type.name, oldByteCount: $0.tensor.byteCount, newByteCount: $0.newByteCount)
        }
    }

    /// Bytes of all tensors as they become.
    public var tensorByteCount: Int { steps.reduce(0) { $0 + $1.newByteCount } }

    /// Bytes of all tensors as they are.
    public var oldTensorByteCount: Int { steps.reduce(0) { $0 + $1.tensor.byteCount } }

    /// Writes the file.
    ///
    /// - Parameter progress: called after each piece with the bytes of the input that are done.
    /// - Throws: `QuantizationError`; `CancellationError` soon after the task is cancelled. Nothing is left under the name then that was
    ///   not there before.
    public nonisolated(nonsending) func write(
        to url: URL, progress: @escaping @Sendable (_ doneByteCount: Int) -> Void = { _ in }
    ) async throws {
        let worker = try ModelLoadingError.reporting(url.path) { try WorkThread() }
        try await worker.run { try write(path: url.path, progress: progress) }
    }

    private func write(path: String, progress: @escaping @Sendable (Int) -> Void) throws {
        for input in file.paths
        where URL(fileURLWithPath: input).standardizedFileURL.resolvingSymlinksInPath()
            == URL(fileURLWithPath: path).standardizedFileURL.resolvingSymlinksInPath()
        {
            throw QuantizationError(.invalidOptions, "\(path) is the input; give the result another name")
        }
        var writer = GGUFWriter()
        let ours = [
            "general.quantization_version", "general.file_type", "split.no", "split.count", "split.tensors.count",
        ]
        let added = Set(additions.map(\.key))
        for entry in file.metadata.entries where !ours.contains(entry.key) && !added.contains(entry.key) {
            writer.set(entry.key, entry.value)
        }
        writer.set("general.quantization_version", .uint32(2))
        writer.set("general.file_type", .uint32(options.recipe.fileType))
        for addition in additions { writer.set(addition.key, addition.value) }
        let engine = try QuantizationEngine(file, threadCount: options.threadCount)
        let types = Dictionary(steps.map { ($0.tensor.name, $0.type) }, uniquingKeysWith: { first, _ in first })
        let scales =
            try options.scaling?.scales(
                for: file, types: types, importance: options.importance, includingQuantized: options.allowsRequantizing,
                engine: engine) ?? [:]
        var done = 0
        do {
            for step in steps {
                let scale = scales[step.tensor.name]
                let importance = options.importance?.values(for: step.tensor.name)
                let feedback = options.feedback?.factor(for: step.tensor.name)
                let before = done
                done += step.tensor.byteCount
                try writer.add(
                    name: step.tensor.name, type: step.type, dimensions: step.tensor.dimensions,
                    producer: { emit in
                        try engine.convert(
                            step.tensor, to: step.type,
                            importance: scale.map { $0.importance(importance) } ?? importance,
                            feedback: scale.map { $0.factor(feedback) } ?? feedback, scale: scale,
                            progress: { progress(before + $0) }, emit: emit)
                    })
            }
            try writer.write(to: path)
        } catch let error as GGUFError {
            throw QuantizationError(
                error.code == .unreadable ? .unwritable : .invalidOptions, error.description, tensor: error.tensor)
        }
    }
}
