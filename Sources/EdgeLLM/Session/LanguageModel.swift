/// A model that a session can talk with: a cheap description of it. The work is done by its executor.
///
/// `GGUFLanguageModel` is one; write your own to put a server, a recording or a script behind a `LanguageModelSession`, with its tools,
/// streams and typed answers. The names are those of FoundationModels.
///
/// ```swift
/// struct Parrot: LanguageModel {
///     var capabilities: LanguageModelCapabilities { .init([]) }
///     var executorConfiguration: Executor.Configuration { .init() }
///
///     struct Executor: LanguageModelExecutor {
///         struct Configuration: Hashable, Sendable {}
///         init(configuration: Configuration) {}
///         func prewarm(model: Parrot, transcript: Transcript) {}
///         func respond(
///             to request: LanguageModelExecutorGenerationRequest, model: Parrot,
///             streamingInto channel: LanguageModelExecutorGenerationChannel
///         ) async throws {
///             await channel.send(.response(action: .appendText(request.transcript.last?.text ?? "", tokenCount: 1)))
///         }
///     }
/// }
/// let session = LanguageModelSession(model: Parrot())
/// ```
public protocol LanguageModel: Sendable {
    /// What does the work.
    associatedtype Executor: LanguageModelExecutor where Executor.Model == Self

    /// What requests may ask for. What is missing is refused by the session with `LanguageModelError.unsupportedCapability`.
    var capabilities: LanguageModelCapabilities { get }
    /// What an executor is made from.
    var executorConfiguration: Executor.Configuration { get }
}

/// What answers the requests of a session.
///
/// Each session makes one when it begins, so an executor may keep what it knows of a conversation. A session has one request at a time
/// at its executor, and waits for a cancelled one to return before it sends the next.
public protocol LanguageModelExecutor: Sendable {
    /// All that changes what an executor does.
    associatedtype Configuration: Hashable, Sendable
    /// The model that it works for.
    associatedtype Model: LanguageModel

    /// An executor.
    ///
    /// - Throws: what stands in the way; the session's first request fails with it.
    init(configuration: Configuration) throws

    /// Does ahead what a request that begins with this conversation will need; returns at once. Only a hint: do nothing where there is
    /// nothing to do.
    ///
    /// - Parameter transcript: the conversation; a prompt at its end is only the beginning of one.
    func prewarm(model: Model, transcript: Transcript)

    /// Answers a request. What is sent into the channel is the answer; the round is over when this returns.
    ///
    /// An answer may be calls of the request's tools: the session makes them and asks again with their outputs in the transcript.
    /// Under a schema the answer's text has to be JSON that the schema allows.
    /// - Throws: `CancellationError` soon after its task is cancelled; any other error reaches the caller of the session as it is.
    nonisolated(nonsending) func respond(
        to request: LanguageModelExecutorGenerationRequest, model: Model,
        streamingInto channel: LanguageModelExecutorGenerationChannel) async throws
}

/// What a model can do beyond answering in words.
public struct LanguageModelCapabilities: Sendable, Equatable {
    /// A thing that a request may ask for.
    public enum Capability: String, Sendable, Hashable, CaseIterable {
        /// Calls of tools.
        case toolCalling
        /// Answers that a schema describes.
        case guidedGeneration
        /// Thoughts that are kept apart from the answer.
        case reasoning
        /// LoRA adapters; FoundationModels has no such capability.
        case adapters
    }

    private let capabilities: Set<Capability>

    /// These and no others.
    public init(_ capabilities: [Capability]) { self.capabilities = Set(capabilities) }

    /// Whether it can do this.
    public func contains(_ capability: Capability) -> Bool { capabilities.contains(capability) }
}
