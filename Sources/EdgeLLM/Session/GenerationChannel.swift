/// Where an executor puts an answer while it comes about.
///
/// Everything arrives in order and without loss. What is sent after the executor has returned, or after the answer was given up, is
/// dropped.
public struct LanguageModelExecutorGenerationChannel: Sendable {
    private let receive: @Sendable (Event) -> Void

    /// A channel into a function, for executors of your own that stand on others, and for their tests.
    public init(_ receive: @escaping @Sendable (Event) -> Void) { self.receive = receive }

    /// Sends a piece of the answer.
    public nonisolated(nonsending) func send(_ event: Event) async { receive(event) }

    /// Sends a piece of the answer from code that is not asynchronous.
    public func yield(_ event: Event) { receive(event) }

    /// Tokens and time, as the session has them.
    public typealias Usage = EdgeLLM.Usage

    /// A piece of the answer.
    public enum Event: Sendable, Equatable {
        /// Something about the words of the answer.
        case response(action: TextAction)
        /// Something about the thoughts before them.
        case reasoning(action: TextAction)
        /// Something about calls of tools.
        case toolCalls(action: ToolCallsAction)
        /// Tokens and time so far, of this round; takes the place of what was said before. `updateUsage` says the same without times.
        case usage(Usage)
        /// Why the round ends: `endOfTurn` unless it is said. Calls of a round that ends with `maximumTokens` are not made.
        case finished(FinishReason)
    }

    /// What happens to a text.
    public enum TextAction: Sendable, Equatable {
        /// More of it, of whole characters.
        ///
        /// - tokenCount: the tokens that this is; they are counted where nothing says the usage.
        case appendText(String, tokenCount: Int)
        /// The tokens so far, of this round; takes the place of what was said before.
        case updateUsage(input: Usage.Input, output: Usage.Output)
    }

    /// What happens to the calls.
    public enum ToolCallsAction: Sendable, Equatable {
        /// Something about the call of this id; the first that is heard of it begins it. The calls keep the order of their beginnings.
        case toolCall(id: String, name: String, action: ToolCallAction)
        /// The tokens so far, of this round; takes the place of what was said before.
        case updateUsage(input: Usage.Input, output: Usage.Output)
    }

    /// What happens to a call.
    public enum ToolCallAction: Sendable, Equatable {
        /// More of the arguments, which are a JSON object, `{}` where there are none.
        ///
        /// - tokenCount: the tokens that this is; they are counted where nothing says the usage.
        case appendArguments(String, tokenCount: Int)
    }
}
