extension PassageStore {
    /// Computes ahead what answers to certain questions begin with, and saves it in the model's `LoadOptions.prefixStore`.
    ///
    /// A question that finds the same passages as one of these, in whatever words, is then answered without computing the passages: their
    /// keys and values are read, to the same bits, and only the question itself is new. Sessions must have no instructions and no tools, and
    /// ask with the same `limit`.
    ///
    /// - Parameters:
    ///   - questions: such as are often asked.
    ///   - limit: passages that the model is given, as in `respond(to:grounding:limit:options:)`.
    ///   - progress: is told how many questions are done.
    /// - Returns: how many different beginnings there are.
    /// - Throws: as `GGUFLanguageModel.savePrefix(ofTokens:adapters:)`, and as `search(_:limit:filter:ranking:)`.
    @discardableResult
    public nonisolated(nonsending) func saveBeginnings(
        of questions: [String], for model: GGUFLanguageModel, limit: Int = 4, progress: (@Sendable (Int) -> Void)? = nil
    ) async throws -> Int {
        guard (1...50).contains(limit) else {
            throw RetrievalError(
                code: .invalidOptions, message: "a model can be given 1 to 50 passages, and not \(limit)")
        }
        var seen: Set<[Passage.ID]> = []
        for (index, question) in questions.enumerated() {
            try Task.checkCancellation()
            let form = GroundedForm(inOrderOfDocuments: try await search(question, limit: limit).passages)
            if form.hasQuotes, seen.insert(form.passages.map(\.id)).inserted {
                // The end of it, after the passages, is not what prompts have there; the longest common beginning counts.
                try await model.savePrefix(ofTokens: model.promptTokens(for: form.prompt(""), instructions: nil))
            }
            progress?(index + 1)
        }
        return seen.count
    }
}

extension GroundedForm {
    /// Passages in the order of the documents: questions that find the same ones then begin alike, and are computed once.
    init(inOrderOfDocuments found: [ScoredPassage]) { self.init(Self.ordered(found).map(\.passage)) }

    static func ordered(_ found: [ScoredPassage]) -> [ScoredPassage] {
        found.sorted { ($0.passage.source, $0.passage.id) < ($1.passage.source, $1.passage.id) }
    }
}
