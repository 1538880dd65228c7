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

extension PassageStore {
    /// Computes ahead the passages that certain questions find, each by itself, and saves their keys and values in the model's
    /// `LoadOptions.prefixStore`: for answers whose options have a ``GroundingReuse``, whatever passages stand before them then.
    ///
    /// - Parameters:
    ///   - questions: such as are often asked.
    ///   - limit: passages that each may find.
    ///   - progress: is told how many of all passages are done, and how many there are.
    /// - Returns: how many passages were saved; those that are too short to be worth it are left out.
    /// - Throws: as ``GGUFLanguageModel/savePassage(_:in:adapters:)``, and as `search(_:limit:filter:ranking:)`.
    @discardableResult
    public nonisolated(nonsending) func savePassages(
        foundBy questions: [String], for model: GGUFLanguageModel, limit: Int = 4,
        progress: (@Sendable (_ done: Int, _ all: Int) -> Void)? = nil
    ) async throws -> Int {
        var seen: Set<Passage.ID> = []
        var passages: [Passage] = []
        for question in questions {
            try Task.checkCancellation()
            for found in try await search(question, limit: limit).passages where seen.insert(found.passage.id).inserted
            {
                passages.append(found.passage)
            }
        }
        var saved = 0
        for (index, passage) in passages.enumerated() {
            try Task.checkCancellation()
            if try await model.savePassage(passage.text, in: GroundedForm([passage]).prompt("")) { saved += 1 }
            progress?(index + 1, passages.count)
        }
        return saved
    }
}

extension GroundedForm {
    /// Passages in the order of the documents: questions that find the same ones then begin alike, and are computed once.
    init(inOrderOfDocuments found: [ScoredPassage]) { self.init(Self.ordered(found).map(\.passage)) }

    static func ordered(_ found: [ScoredPassage]) -> [ScoredPassage] {
        found.sorted { ($0.passage.source, $0.passage.id) < ($1.passage.source, $1.passage.id) }
    }
}
