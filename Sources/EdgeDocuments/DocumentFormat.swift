/// The kinds of documents that are read.
package enum DocumentFormat: String, Sendable, CaseIterable {
    case plainText, markdown, reStructuredText, html, pdf

    /// What a file's name says; nil for a name that says nothing known.
    package init?(fileName: String) {
        guard let dot = fileName.lastIndex(of: "."), dot != fileName.startIndex else { return nil }
        switch fileName[fileName.index(after: dot)...].lowercased() {
        case "txt", "text", "log", "csv", "tsv": self = .plainText
        case "md", "markdown", "mdown", "mkd": self = .markdown
        case "rst", "rest": self = .reStructuredText
        case "html", "htm", "xhtml": self = .html
        case "pdf": self = .pdf
        default: return nil
        }
    }
}

extension ReadDocument {
    /// Bytes of a document at most.
    package static let sizeLimit = 32 << 20

    /// Reads a document that is in memory.
    ///
    /// A mark of UTF-8 at the beginning is passed over. Text is taken as it is: only HTML is reduced, and of a PDF the text is extracted.
    /// - Throws: `DocumentError`.
    package init(_ bytes: [UInt8], format: DocumentFormat) throws(DocumentError) {
        guard bytes.count <= Self.sizeLimit else {
            throw DocumentError(
                .tooLarge, "the document has \(bytes.count) bytes, but at most \(Self.sizeLimit) are read; split it")
        }
        switch format {
        case .pdf: self = try PDFReader.read(bytes)
        case .html: self = try HTMLReader.read(checked(bytes))
        case .plainText: self = try PlainReader.read(checked(bytes))
        case .markdown: self = try MarkdownReader.read(checked(bytes))
        case .reStructuredText: self = try ReStructuredTextReader.read(checked(bytes))
        }
    }
}

/// The bytes, if they are text.
func checked(_ bytes: [UInt8]) throws(DocumentError) -> [UInt8] {
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
        throw DocumentError(.notText, "the text is UTF-16; store it as UTF-8", byteOffset: 0)
    }
    if let zero = bytes.firstIndex(of: 0) {
        throw DocumentError(.notText, "the file holds zero bytes: it is no text", byteOffset: zero)
    }
    if let bad = firstMalformed(bytes) {
        throw DocumentError(.notText, "the text is not in UTF-8; store it as UTF-8", byteOffset: bad)
    }
    return bytes
}

/// Where UTF-8 breaks off; nil where it does not.
private func firstMalformed(_ bytes: [UInt8]) -> Int? {
    guard String(validating: bytes, as: UTF8.self) == nil else { return nil }
    var decoder = UTF8()
    var iterator = bytes.makeIterator()
    var offset = 0
    while true {
        switch decoder.decode(&iterator) {
        case .scalarValue(let scalar): offset += UTF8.width(scalar)
        case .emptyInput, .error: return offset
        }
    }
}
