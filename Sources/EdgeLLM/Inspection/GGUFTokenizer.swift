internal import EdgeEngine
internal import EdgeGGUF
internal import EdgeModel
package import EdgeTokenizer
public import Foundation

/// How a model's texts are cut into tokens, and put together again.
///
/// ```swift
/// let tokenizer = try await GGUFTokenizer(contentsOf: url)
/// let tokens = tokenizer.encode("Check the oil.")
/// print(try tokenizer.decode(tokens))
/// ```
public struct GGUFTokenizer: Sendable {
    private let tokenizer: Tokenizer

    package init(_ tokenizer: Tokenizer) { self.tokenizer = tokenizer }

    /// Reads the vocabulary of a GGUF file; a file that has nothing else is enough.
    ///
    /// - Throws: `ModelLoadingError`, which says what is wrong and where in the file.
    public init(contentsOf url: URL) async throws {
        tokenizer = try await Task.detached {
            try ModelLoadingError.reporting(url.path) { try Tokenizer(GGUFFile(path: url.path)) }
        }.value
    }

    /// Tokens in the vocabulary: their ids are 0 to one less.
    public var tokenCount: Int { tokenizer.count }

    /// The token that begins a text, nil where texts begin with none.
    public var beginningToken: Int? { tokenizer.addsBos ? tokenizer.bosId.map(Int.init) : nil }

    /// The tokens that end an answer.
    public var endTokens: [Int] { tokenizer.endOfGenerationIds.map(Int.init) }

    /// The ids of a text.
    ///
    /// - Parameters:
    ///   - addsSpecialTokens: whether the tokens that begin and end a text are added, where the vocabulary asks for them.
    ///   - parsesSpecialTokens: whether what is spelled like a control token, such as `<|eot_id|>`, is one. Never do that with text from
    ///     others.
    /// - Complexity: nearly linear in the text's bytes.
    public func encode(_ text: String, addsSpecialTokens: Bool = true, parsesSpecialTokens: Bool = false) -> [Int] {
        encode(bytes: Array(text.utf8), addsSpecialTokens: addsSpecialTokens, parsesSpecialTokens: parsesSpecialTokens)
    }

    /// The ids of a text given as bytes. Of what is no UTF-8, vocabularies with tokens for single bytes keep the bytes, others get U+FFFD.
    /// Otherwise as `encode(_:addsSpecialTokens:parsesSpecialTokens:)`.
    public func encode(
        bytes: [UInt8], addsSpecialTokens: Bool = true, parsesSpecialTokens: Bool = false
    ) -> [Int] {
        tokenizer.encode(bytes: bytes, addSpecial: addsSpecialTokens, parseSpecial: parsesSpecialTokens).map(Int.init)
    }

    /// The text of some tokens. Bytes that are no UTF-8 are replaced by U+FFFD.
    ///
    /// - Parameter skipsSpecialTokens: whether control tokens have no text.
    /// - Throws: `LanguageModelError.invalidOptions` naming an id that the vocabulary does not have.
    public func decode(_ tokens: [Int], skipsSpecialTokens: Bool = true) throws -> String {
        tokenizer.decode(try checked(tokens), skipSpecial: skipsSpecialTokens)
    }

    /// What a token stands for, be it a whole character or not; for a control token its name. Nil for an id that the vocabulary does
    /// not have.
    public func bytes(of token: Int) -> [UInt8]? {
        (0..<tokenCount).contains(token) ? tokenizer.bytes(of: Int32(token)) : nil
    }

    /// Whether a token is a control token: it has a meaning and no text.
    public func isControl(_ token: Int) -> Bool {
        (0..<tokenCount).contains(token) && tokenizer.isControl(Int32(token))
    }

    /// The ids as the engine has them.
    package func checked(_ tokens: [Int]) throws(LanguageModelError) -> [Int32] {
        if let bad = tokens.first(where: { !(0..<tokenCount).contains($0) }) {
            throw .invalidOptions("\(bad) is no token: the vocabulary has \(tokenCount), counted from 0")
        }
        return tokens.map { Int32($0) }
    }
}

extension GGUFLanguageModel {
    /// How the model's texts are cut into tokens.
    public var tokenizer: GGUFTokenizer { GGUFTokenizer(engine.tokenizer) }
}
