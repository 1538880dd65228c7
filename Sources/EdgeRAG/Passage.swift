/// A part of a document: what is found, and what an answer cites.
public struct Passage: Sendable, Hashable, Codable, Identifiable {
    /// Its number in the store; never used again for another.
    public let id: Int64
    /// The document that it is of.
    public let source: String
    /// The headings that it stands under, from the highest level on.
    public let headings: [String]
    /// Its text. Of plain text, Markdown and reStructuredText these are the bytes of the document as they stand there.
    public let text: String
    /// The bytes of the document that it was made from. For PDF, bytes of the text that `pdftotext` gives.
    public let location: Range<Int>
    /// The page, from 1, that it begins on; nil for documents without pages.
    public let page: Int?
    /// What was said of the document when it was added.
    public let metadata: [String: String]
    /// Where the text lies, piece by piece, where it is not what stands in the document; see `location(of:)`.
    let isVerbatim: Bool

    /// A passage of your own retriever.
    public init(
        id: Int64, source: String, headings: [String] = [], text: String, location: Range<Int>? = nil, page: Int? = nil,
        metadata: [String: String] = [:]
    ) {
        self.init(
            id: id, source: source, headings: headings, text: text, location: location ?? 0..<text.utf8.count,
            page: page,
            metadata: metadata, isVerbatim: location.map { $0.count == text.utf8.count } ?? true)
    }

    init(
        id: Int64, source: String, headings: [String], text: String, location: Range<Int>, page: Int?,
        metadata: [String: String], isVerbatim: Bool
    ) {
        self.id = id
        self.source = source
        self.headings = headings
        self.text = text
        self.location = location
        self.page = page
        self.metadata = metadata
        self.isVerbatim = isVerbatim
    }

    /// The bytes of the document that a part of the text, given in bytes of UTF-8, was made from: exact where the text stands in the
    /// document as it is, else those of the whole passage.
    public func location(of part: Range<Int>) -> Range<Int> {
        guard isVerbatim, part.lowerBound >= 0, part.upperBound <= location.count else { return location }
        return location.lowerBound + part.lowerBound..<location.lowerBound + part.upperBound
    }

    /// The document and the headings, in one line.
    public var title: String { ([source] + headings).joined(separator: " > ") }
}

/// A passage that was found.
public struct ScoredPassage: Sendable, Hashable, Codable {
    /// The passage.
    public let passage: Passage
    /// What it was ranked by; the higher the better, comparable within one search only.
    public let score: Double
    /// Its place among what was found word for word, from 0.
    public let lexicalRank: Int?
    /// Its place among what was found by meaning, from 0.
    public let denseRank: Int?
    /// The cosine between its vector and the query's; nil where vectors were not compared.
    public let similarity: Float?

    /// A passage of your own retriever.
    public init(
        passage: Passage, score: Double, lexicalRank: Int? = nil, denseRank: Int? = nil, similarity: Float? = nil
    ) {
        self.passage = passage
        self.score = score
        self.lexicalRank = lexicalRank
        self.denseRank = denseRank
        self.similarity = similarity
    }
}

/// Something that finds passages: a `PassageStore`, or your own.
public protocol Retriever: Sendable {
    /// The passages that may answer a query, the best first.
    nonisolated(nonsending) func passages(for query: String, limit: Int) async throws -> [ScoredPassage]
}
