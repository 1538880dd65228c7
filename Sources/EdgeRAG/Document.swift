internal import EdgeDocuments
public import Foundation

/// A document to be indexed.
public struct Document: Sendable, Hashable {
    /// The kinds of documents that are read.
    public enum Format: String, Sendable, Hashable, Codable, CaseIterable {
        case plainText, markdown, reStructuredText, html
        /// Its text is extracted by `pdftotext`, which must be installed (Debian: poppler-utils).
        case pdf

        /// The format that a file's name ends for; nil for an unknown one.
        public init?(fileName: String) {
            guard let format = DocumentFormat(fileName: fileName) else { return nil }
            self.init(rawValue: format.rawValue)
        }
    }

    /// What it is called in the store; a document of a name that is there replaces that one.
    public var name: String
    /// Its kind.
    public var format: Format
    /// Its bytes: text in UTF-8, or a PDF.
    public var contents: Data
    /// What filters may ask for, such as `["model": "T90"]`; each passage carries it.
    public var metadata: [String: String]

    /// A document that is in memory.
    public init(name: String, contents: Data, format: Format, metadata: [String: String] = [:]) {
        self.name = name
        self.contents = contents
        self.format = format
        self.metadata = metadata
    }

    /// A text.
    public init(name: String, text: String, format: Format = .plainText, metadata: [String: String] = [:]) {
        self.init(name: name, contents: Data(text.utf8), format: format, metadata: metadata)
    }

    /// A file.
    ///
    /// - Parameter name: what it is called in the store; by default the file's name.
    /// - Throws: `RetrievalError` with code `unsupportedFormat`, `unreadable` or `tooLarge`.
    public init(contentsOf url: URL, name: String? = nil, metadata: [String: String] = [:]) throws {
        let name = name ?? url.lastPathComponent
        guard let format = Format(fileName: url.lastPathComponent) else {
            throw RetrievalError(
                code: .unsupportedFormat,
                message: "\(name): files of this kind are not read; give text, Markdown, "
                    + "reStructuredText, HTML or PDF")
        }
        do {
            let size = try url.resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0
            guard size <= ReadDocument.sizeLimit else {
                throw RetrievalError(
                    code: .tooLarge,
                    message:
                        "\(name): the file has \(size) bytes, but at most \(ReadDocument.sizeLimit) are read; split it")
            }
            self.init(name: name, contents: try Data(contentsOf: url), format: format, metadata: metadata)
        } catch let error as RetrievalError {
            throw error
        } catch {
            throw RetrievalError(code: .unreadable, message: "\(name): cannot be read: \(error.localizedDescription)")
        }
    }

    /// The text and its structure.
    func read() throws -> ReadDocument {
        guard let format = DocumentFormat(rawValue: format.rawValue) else {
            throw RetrievalError(code: .unsupportedFormat, message: "\(name): documents of this kind are not read")
        }
        do throws(DocumentError) {
            return try ReadDocument([UInt8](contents), format: format)
        } catch {
            throw RetrievalError(error, source: name)
        }
    }
}

/// Cuts documents into passages: along their headings, then paragraphs, then sentences, then words.
public struct TextSplitter: Sendable, Hashable {
    /// Tokens of a passage at most, as the embedding model counts them; without one by a rule of thumb.
    public var maximumTokens: Int
    /// Tokens that neighbouring passages of a section share at most; up to half of a passage.
    public var overlap: Int

    /// A splitter; the defaults suit small embedding models and short prompts.
    public init(maximumTokens: Int = 200, overlap: Int = 32) {
        self.maximumTokens = maximumTokens
        self.overlap = overlap
    }

    /// The passages of a document, numbered from 1.
    ///
    /// - Parameter tokenCount: counts the tokens of a text; nil for a rule of thumb.
    /// - Throws: `RetrievalError` where the document cannot be read.
    public func split(_ document: Document, tokenCount: (@Sendable (String) -> Int)? = nil) throws -> [Passage] {
        let read = try document.read()
        return pieces(of: read, tokenCount: tokenCount).enumerated().map { index, piece in
            Passage(
                id: Int64(index + 1), source: document.name, headings: piece.headings, text: read.string(piece.range),
                location: read.sourceRange(of: piece.range), page: read.page(at: piece.range.lowerBound),
                metadata: document.metadata, isVerbatim: read.origins.isEmpty)
        }
    }

    func pieces(of document: ReadDocument, tokenCount: ((String) -> Int)?) -> [Splitter.Piece] {
        Splitter(maximumTokens: maximumTokens, overlap: overlap)
            .split(document, count: tokenCount ?? TokenEstimate.count)
    }
}
