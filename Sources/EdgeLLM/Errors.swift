internal import EdgeEngine
internal import EdgeGGUF
internal import EdgeModel
internal import EdgeSampling

/// Why a model file could not be loaded, and where in it the reason lies.
public struct ModelLoadingError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure. An open set: compare with the constants, and have a default.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private let name: String
        init(_ name: String) { self.name = name }

        /// The name of the constant.
        public var description: String { name }

        /// The file cannot be opened or read.
        public static let unreadable = Code("unreadable")
        /// The file is no GGUF file.
        public static let notGGUF = Code("notGGUF")
        /// The file ends too early.
        public static let truncated = Code("truncated")
        /// The file contradicts the format.
        public static let malformed = Code("malformed")
        /// The version of the format is unknown.
        public static let unsupportedVersion = Code("unsupportedVersion")
        /// The architecture cannot be run.
        public static let unsupportedArchitecture = Code("unsupportedArchitecture")
        /// A tensor has a type that cannot be read.
        public static let unsupportedTensorType = Code("unsupportedTensorType")
        /// The tokenizer is of an unknown kind.
        public static let unsupportedTokenizer = Code("unsupportedTokenizer")
        /// A metadata key is missing.
        public static let missingMetadata = Code("missingMetadata")
        /// A metadata key has an impossible value.
        public static let invalidMetadata = Code("invalidMetadata")
        /// A tensor is missing.
        public static let missingTensor = Code("missingTensor")
        /// A tensor has another shape than the metadata asks for.
        public static let tensorShapeMismatch = Code("tensorShapeMismatch")
        /// The vocabulary contradicts itself or the model.
        public static let invalidVocabulary = Code("invalidVocabulary")
        /// The adapter was made for another model, or changes what cannot be changed.
        public static let adapterMismatch = Code("adapterMismatch")
        /// There is not enough memory.
        public static let insufficientMemory = Code("insufficientMemory")
        /// BLAS was asked for, and there is none on this system that would be fast.
        public static let blasUnavailable = Code("blasUnavailable")
        /// The options contradict each other or the model.
        public static let invalidOptions = Code("invalidOptions")
        /// A converted model has a tensor that its architecture does not use.
        public static let unexpectedTensor = Code("unexpectedTensor")
        /// A weight does not fit the type that a converted model is to have.
        public static let valueOutOfRange = Code("valueOutOfRange")
        /// The result of a conversion cannot be written.
        public static let unwritable = Code("unwritable")
        /// The knowledge pack's keys and values are of another model, or were computed with other settings.
        public static let packMismatch = Code("packMismatch")
        /// The file given as a knowledge pack is none.
        public static let notAPack = Code("notAPack")
        /// The knowledge pack is damaged; `key` names the section.
        public static let damagedPack = Code("damagedPack")
    }

    /// The kind of failure.
    public var code: Code
    /// What is wrong and what to do, in one line.
    public var message: String
    /// The byte of the file it is about.
    public var byteOffset: UInt64?
    /// The metadata key or tensor it is about.
    public var key: String?
    /// With code `insufficientMemory`, when `LoadOptions.memoryLimit` is too low: the numbers, and what would fit.
    public var shortage: MemoryShortage?

    /// The message.
    public var description: String { message }

    init(code: Code, message: String, byteOffset: UInt64? = nil, key: String? = nil) {
        self.code = code
        self.message = message
        self.byteOffset = byteOffset
        self.key = key
    }

    init(_ error: GGUFError) {
        let code: Code =
            switch error.code {
            case .missingSplit: .missingTensor
            case .duplicateKey, .duplicateTensor: .malformed
            case .wrongMetadataType, .invalidValue: .invalidMetadata
            default: Code(error.code.rawValue)
            }
        self.init(
            code: code, message: error.description, byteOffset: error.byteOffset.map { UInt64(max(0, $0)) },
            key: error.key ?? error.tensor)
    }

    init(_ error: ModelError, path: String) {
        self.init(
            code: Code(error.code.rawValue), message: "\(path): \(error)",
            byteOffset: error.byteOffset.map { UInt64(max(0, $0)) }, key: error.key ?? error.tensor)
    }
}

/// Why a request could not be answered.
public enum LanguageModelError: Error, Sendable, CustomStringConvertible {
    /// The prompt leaves no room for an answer. Thrown before any time is spent.
    case contextSizeExceeded(ContextSizeExceeded)
    /// Other answers of the model, at the same time, use all of the memory for keys and values. Asked again later, it can be answered.
    case cacheExhausted(CacheExhausted)
    /// The prompt is empty, and the model's vocabulary has no token to begin with.
    case emptyPrompt
    /// An option has a value that makes no sense.
    case invalidOptions(String)
    /// The model computes no usable numbers: its file is damaged.
    case damagedModel
    /// The model's file has no chat template, and none was given when it was loaded. A template is never guessed.
    case missingChatTemplate
    /// The chat template is not well formed, uses what is not supported, or refuses the conversation.
    case chatTemplate(TemplateFailure)
    /// A schema or a guide asks for what cannot be enforced, or for what nothing satisfies. Thrown before the first token.
    case unsupportedGenerationGuide(UnsupportedGenerationGuide)
    /// The answer reached its limit of tokens, or a stop sequence, before its value was whole.
    case incompleteContent(IncompleteContent)
    /// The model cannot do what the request asks for. Thrown before any work.
    case unsupportedCapability(UnsupportedCapability)
    /// The model's vocabulary has no token for what the schema asks for next, or the text can be read in too many ways; or a model of
    /// your own gave an answer that the schema does not allow.
    case constraintFailed(String)
    /// Weights, or keys and values, that are not in memory could not be read from their file or written to it: the disk is full or
    /// broken. The message says which file and why. Nothing was answered from what is not sure.
    case storageFailed(String)

    /// What cannot be enforced, and where it stands.
    public struct UnsupportedGenerationGuide: Sendable, Equatable {
        /// What is wrong.
        public var message: String
        /// The place in the schema: a type and its property, or a JSON pointer.
        public var place: String?

        init(message: String, place: String? = nil) {
            self.message = message
            self.place = place
        }
    }

    /// What a model cannot do.
    public struct UnsupportedCapability: Sendable, Equatable {
        /// The capability; nil for what models cannot declare.
        public var capability: LanguageModelCapabilities.Capability?
        /// What is wrong.
        public var message: String

        /// What a model cannot do, for executors of your own.
        public init(capability: LanguageModelCapabilities.Capability?, message: String) {
            self.capability = capability
            self.message = message
        }
    }

    /// A value that was cut.
    public struct IncompleteContent: Sendable, Equatable {
        /// The text as far as it came.
        public var text: String
        /// What cut it.
        public var finishReason: FinishReason
    }

    /// What is wrong with a chat template, and where.
    public struct TemplateFailure: Sendable, Equatable {
        /// What is wrong.
        public var message: String
        /// The place in the template, both counted from 1; 0 where no place of the template is at fault.
        public var line: Int
        /// The column.
        public var column: Int
    }

    /// Both numbers of a prompt that does not fit.
    public struct ContextSizeExceeded: Sendable, Equatable {
        /// Tokens that fit.
        public var contextSize: Int
        /// Tokens of the prompt.
        public var tokenCount: Int
    }

    /// Both numbers of a cache that is full.
    public struct CacheExhausted: Sendable, Equatable {
        /// Tokens that the conversation would have had.
        public var tokenCount: Int
        /// Tokens that all conversations of the model have room for together.
        public var capacity: Int
    }

    /// What is wrong and what to do, in one line.
    public var description: String {
        switch self {
        case .cacheExhausted(let sizes):
            "no room for token \(sizes.tokenCount) of the conversation: the answers being written use the \(sizes.capacity) "
                + "tokens that the model's cache holds; ask again when one has ended, or load with more memory"
        case .contextSizeExceeded(let sizes):
            "the prompt has \(sizes.tokenCount) tokens, but the context holds \(sizes.contextSize) with the answer; "
                + "shorten the prompt or load the model with a larger context"
        case .emptyPrompt: "the prompt is empty; give some text to continue"
        case .invalidOptions(let reason): reason
        case .missingChatTemplate:
            "the model has no chat template, so it was not trained to converse; give one when loading, or let it continue texts"
        case .chatTemplate(let failure):
            (failure.line > 0 ? "chat template, line \(failure.line), column \(failure.column): " : "chat template: ")
                + failure.message
        case .unsupportedGenerationGuide(let failure):
            "the schema cannot be enforced: \(failure.message)" + (failure.place.map { " (at \($0))" } ?? "")
        case .incompleteContent(let content):
            (content.finishReason == .stopSequence
                ? "a stop sequence cut the answer" : "the answer was cut at its limit of tokens")
                + " before its value was whole; give it more room with maximumResponseTokens or a larger context"
        case .unsupportedCapability(let failure): failure.message
        case .constraintFailed(let reason): reason
        case .storageFailed(let reason): "what is not in memory could not be read or written: \(reason)"
        case .damagedModel: "the model computes no usable numbers (NaN); its file is damaged, fetch it again"
        }
    }

    /// The public form of an inner error; cancellation and the unknown pass through.
    static func translate(_ error: any Error) -> any Error {
        switch error {
        case let error as SamplingError: return invalidOptions(error.description)
        case let error as ModelError: return ModelLoadingError(error, path: "model")
        case EngineError.contextSizeExceeded(let contextSize, let tokenCount):
            return contextSizeExceeded(ContextSizeExceeded(contextSize: contextSize, tokenCount: tokenCount))
        case EngineError.invalidWindow(let contextSize, let keeping):
            return invalidOptions(
                "slidingWindow(keeping: \(keeping)) leaves nothing to slide over in a context of \(contextSize) tokens; "
                    + "keep 0 to \(max(0, contextSize - 2))")
        case EngineError.cacheExhausted(let tokenCount, let capacity):
            return cacheExhausted(CacheExhausted(tokenCount: tokenCount, capacity: capacity))
        case EngineError.emptyPrompt: return emptyPrompt
        case EngineError.contextBusy: return LanguageModelSession.Error.concurrentRequests
        case EngineError.nonFiniteLogits: return damagedModel
        case EngineError.constraintFailed(let reason): return constraintFailed(reason)
        case EngineError.storageFailed(let reason): return storageFailed(reason)
        default: return error
        }
    }
}
