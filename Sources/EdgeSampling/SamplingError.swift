/// Why a token could not be chosen, or why a sampler could not be configured.
package struct SamplingError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind of failure. Open: more may be added.
    package struct Code: Sendable, Equatable {
        let name: String

        /// A parameter lies outside its range; the message names it, its value and the range.
        package static let parameter = Code(name: "parameter")
        /// The vocabulary is empty or larger than token ids reach.
        package static let vocabulary = Code(name: "vocabulary")
        /// The logits, or the words of the mask, are not as many as the vocabulary needs.
        package static let length = Code(name: "length")
        /// A logit is NaN or plus infinity; `position` is its token id.
        package static let brokenLogit = Code(name: "brokenLogit")
        /// No token is left: the mask allows none, or every allowed logit is minus infinity.
        package static let noCandidate = Code(name: "noCandidate")
    }

    /// The kind of failure.
    package let code: Code
    /// What happened, in one sentence.
    package let message: String
    /// The token id concerned, where there is one.
    package let position: Int?

    init(_ code: Code, _ message: String, position: Int? = nil) {
        self.code = code
        self.message = message
        self.position = position
    }

    /// The message.
    package var description: String { message }
}
