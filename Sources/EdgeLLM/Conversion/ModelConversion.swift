internal import EdgeConvert
internal import EdgeEngine
public import Foundation

/// A model's folder as Hugging Face's tools save it, ready to be written as one GGUF file.
///
/// The folder has `config.json`, the weights as safetensors (F32, F16, BF16, in one file or in parts; or quantized to 4 bits by GPTQ or
/// AWQ), a tokenizer (`tokenizer.json`, `tokenizer.model` or `vocab.txt`) and, for models that chat, a template.
///
/// ```swift
/// let conversion = try await ModelConversion(folder: folder, options: .init(weightType: .q8_0))
/// try await conversion.write(to: file)
/// ```
///
/// What readers of the file would compute otherwise than the original is refused, or said in `notes`.
public struct ModelConversion: Sendable {
    /// The types that matrices can be stored in; vectors are always f32.
    public enum WeightType: String, Sendable, CaseIterable {
        /// The checkpoint's own, so that nothing is lost. Matrices of 4 bits become Q4_0 or Q5_0, which keep every weight exactly.
        case stored
        /// 32 bits a weight.
        case f32
        /// Half precision. A value that it has no room for is an error.
        case f16
        /// The upper half of 32 bits.
        case bf16
        /// 8 bits a weight, and a scale for 32 of them; rows that are no multiple of 32 long get half precision.
        case q8_0
    }

    /// What is asked of a conversion.
    public struct Options: Sendable {
        /// The type of matrices.
        public var weightType: WeightType
        /// The name that GGUF has for how a byte-pair tokenizer cuts text into words, such as `default`, for tokenizers whose way is
        /// none of the known ones; nil to refuse them.
        public var preTokenizer: String?
        /// The model's name; nil for that of the folder.
        public var name: String?
        /// Whether the file gets a tokenizer. Without one a model takes no text.
        public var includesTokenizer: Bool
        /// Threads that compute; nil for the physical cores. The file is the same for any number.
        public var threadCount: Int?

        /// Options that keep the weights as they are.
        public init(
            weightType: WeightType = .stored, preTokenizer: String? = nil, name: String? = nil,
            includesTokenizer: Bool = true, threadCount: Int? = nil
        ) {
            self.weightType = weightType
            self.preTokenizer = preTokenizer
            self.name = name
            self.includesTokenizer = includesTokenizer
            self.threadCount = threadCount
        }
    }

    /// How far the writing is.
    public struct Progress: Sendable {
        /// Bytes of tensors that are written.
        public var writtenByteCount: Int
        /// Bytes of all tensors.
        public var byteCount: Int
    }

    private let conversion: Conversion
    private let threadCount: Int?

    /// Reads the settings, the tokenizer and the directory of the weights, and checks everything but the weights' values.
    ///
    /// - Throws: `ModelLoadingError`, which names the file, and the setting or tensor.
    public init(folder: URL, options: Options = Options()) async throws {
        if let threads = options.threadCount, !(1...256).contains(threads) {
            throw ModelLoadingError(
                code: .invalidOptions, message: "\(threads) threads are not possible; give 1 to 256")
        }
        threadCount = options.threadCount
        conversion = try await WorkThread().run {
            try ModelLoadingError.reportingConversion {
                var wanted = Conversion.Options()
                wanted.weightType = EdgeConvert.WeightType(rawValue: options.weightType.rawValue) ?? .stored
                wanted.preTokenizer = options.preTokenizer
                wanted.name = options.name
                wanted.includesTokenizer = options.includesTokenizer
                return try Conversion(folder: folder.path, options: wanted)
            }
        }
    }

    /// The architecture that the file names.
    public var architecture: String { conversion.architecture }

    /// What readers of the file compute otherwise than the original, in sentences.
    public var notes: [String] { conversion.notes }

    /// Weights of the model, norms and biases among them.
    public var parameterCount: Int { conversion.parameterCount }

    /// Bytes that the weights will have in the file.
    public var byteCount: Int { conversion.byteCount }

    /// Writes the file, a piece of a tensor at a time, beside its destination, and puts it in place in one step. The same folder gives the
    /// same bytes.
    ///
    /// - Parameter progress: called from another thread, once for each piece.
    /// - Throws: `ModelLoadingError` with the codes `unwritable` where the disk is full or the place not writable, and `valueOutOfRange`
    ///   for a weight that the type cannot hold; `CancellationError` when the task is cancelled. There is no file then.
    public func write(to url: URL, progress: (@Sendable (Progress) -> Void)? = nil) async throws {
        let (conversion, threadCount) = (conversion, threadCount)
        try await WorkThread().run {
            try ModelLoadingError.reportingConversion {
                let total = conversion.byteCount
                try conversion.write(to: url.path, threadCount: threadCount) { done in
                    try Task.checkCancellation()
                    progress?(Progress(writtenByteCount: done, byteCount: total))
                }
            }
        }
    }
}

extension ModelLoadingError {
    /// Turns what conversions throw into this error.
    fileprivate static func reportingConversion<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as ConversionError {
            throw ModelLoadingError(
                code: Code(error.code.rawValue), message: error.description,
                byteOffset: error.byteOffset.map { UInt64(max(0, $0)) }, key: error.key ?? error.tensor)
        }
    }
}
