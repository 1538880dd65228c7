/// Why a vocabulary was refused.
package struct TokenizerError: Error, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        /// `tokenizer.ggml.model` names a family that this room does not implement.
        case unknownModel
        /// `tokenizer.ggml.pre` names a pre-tokenizer that this room does not know.
        case unknownPreTokenizer
        /// A list or an id that the family cannot do without is absent.
        case missing
        /// A list has the wrong length, or a table is damaged.
        case invalid
    }

    package let code: Code
    package let message: String
    /// The metadata key at fault, as GGUF spells it.
    package let key: String?

    package init(_ code: Code, _ message: String, key: String? = nil) {
        self.code = code
        self.message = message
        self.key = key
    }

    package var description: String {
        key.map { "\($0): \(message)" } ?? message
    }
}
