/// What a user says.
///
/// All of it is data: what looks like a control token in it is not one.
public struct Prompt: Sendable, Equatable {
    /// The words.
    public var text: String

    init(text: String) { self.text = text }

    /// The prompt that a value stands for.
    public init(_ content: some PromptRepresentable) { self = content.promptRepresentation }

    /// A prompt of parts, each on a line of its own.
    public init<F: Error>(@PromptBuilder _ content: () throws(F) -> Prompt) throws(F) { self = try content() }
}

/// A value that can be said to a model.
public protocol PromptRepresentable {
    /// What is said.
    @PromptBuilder var promptRepresentation: Prompt { get }
}

extension Prompt: PromptRepresentable {
    // `return` keeps the protocol's builder out, which would ask this property again.
    /// Itself.
    public var promptRepresentation: Prompt { return self }
}

extension String: PromptRepresentable {
    /// The text.
    public var promptRepresentation: Prompt { return Prompt(text: self) }
}

extension Array: PromptRepresentable where Element: PromptRepresentable {
    /// The elements, each on a line of its own.
    public var promptRepresentation: Prompt {
        return Prompt(text: map(\.promptRepresentation.text).joined(separator: "\n"))
    }
}

/// Puts a prompt together from parts, each on a line of its own.
@resultBuilder public enum PromptBuilder {
    /// The parts in order.
    public static func buildBlock(_ parts: Prompt?...) -> Prompt { join(parts) }
    /// One part.
    public static func buildExpression(_ part: some PromptRepresentable) -> Prompt? { part.promptRepresentation }
    /// A part that need not be there.
    public static func buildOptional(_ part: Prompt?) -> Prompt? { part }
    /// One of two.
    public static func buildEither(first part: Prompt) -> Prompt? { part }
    /// The other.
    public static func buildEither(second part: Prompt) -> Prompt? { part }
    /// What a loop makes.
    public static func buildArray(_ parts: [Prompt]) -> Prompt? { parts.isEmpty ? nil : join(parts) }
    /// What an `if #available` makes.
    public static func buildLimitedAvailability(_ part: Prompt) -> Prompt? { part }

    private static func join(_ parts: [Prompt?]) -> Prompt {
        Prompt(text: parts.compactMap { $0?.text }.joined(separator: "\n"))
    }
}

/// What a model is told about its part in a conversation.
///
/// Data like a prompt: it cannot hold control tokens.
public struct Instructions: Sendable, Equatable {
    /// The words.
    public var text: String

    init(text: String) { self.text = text }

    /// The instructions that a value stands for.
    public init(_ content: some InstructionsRepresentable) { self = content.instructionsRepresentation }

    /// Instructions of parts, each on a line of its own.
    public init<F: Error>(@InstructionsBuilder _ content: () throws(F) -> Instructions) throws(F) {
        self = try content()
    }
}

/// A value that a model can be told as instructions.
public protocol InstructionsRepresentable {
    /// What it is told.
    @InstructionsBuilder var instructionsRepresentation: Instructions { get }
}

extension Instructions: InstructionsRepresentable {
    // As for prompts.
    /// Itself.
    public var instructionsRepresentation: Instructions { return self }
}

extension String: InstructionsRepresentable {
    /// The text.
    public var instructionsRepresentation: Instructions { return Instructions(text: self) }
}

extension Array: InstructionsRepresentable where Element: InstructionsRepresentable {
    /// The elements, each on a line of its own.
    public var instructionsRepresentation: Instructions {
        return Instructions(text: map(\.instructionsRepresentation.text).joined(separator: "\n"))
    }
}

/// Puts instructions together from parts, each on a line of its own.
@resultBuilder public enum InstructionsBuilder {
    /// The parts in order.
    public static func buildBlock(_ parts: Instructions?...) -> Instructions { join(parts) }
    /// One part.
    public static func buildExpression(_ part: some InstructionsRepresentable) -> Instructions? {
        part.instructionsRepresentation
    }
    /// A part that need not be there.
    public static func buildOptional(_ part: Instructions?) -> Instructions? { part }
    /// One of two.
    public static func buildEither(first part: Instructions) -> Instructions? { part }
    /// The other.
    public static func buildEither(second part: Instructions) -> Instructions? { part }
    /// What a loop makes.
    public static func buildArray(_ parts: [Instructions]) -> Instructions? { parts.isEmpty ? nil : join(parts) }
    /// What an `if #available` makes.
    public static func buildLimitedAvailability(_ part: Instructions) -> Instructions? { part }

    private static func join(_ parts: [Instructions?]) -> Instructions {
        Instructions(text: parts.compactMap { $0?.text }.joined(separator: "\n"))
    }
}
