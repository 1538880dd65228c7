internal import GRDB

/// Which passages a search may find. Filters are part of the database's query.
public indirect enum PassageFilter: Sendable, Hashable, Codable {
    /// Of this document.
    case source(String)
    /// Of documents whose names begin so, such as those of a folder.
    case sourcePrefix(String)
    /// Of documents that came with this folder.
    case collection(String)
    /// Of documents with this metadata.
    case metadata(key: String, value: String)
    /// Under a heading that contains this text; ASCII letters of either size.
    case heading(containing: String)
    /// On one of these pages.
    case pages(ClosedRange<Int>)
    /// Meets all of these; all passages where there are none.
    case all([PassageFilter])
    /// Meets one of these; none where there are none.
    case any([PassageFilter])
    /// Does not meet this.
    case not(PassageFilter)

    /// Filters within filters, at most.
    private static let depthLimit = 50

    /// The condition in SQL, over the tables `passages` and `sources`.
    func condition(depth: Int = 0) throws(RetrievalError) -> (
        sql: String, arguments: [any DatabaseValueConvertible & Sendable]
    ) {
        guard depth < Self.depthLimit else {
            throw RetrievalError(
                code: .invalidOptions, message: "a filter holds more than \(Self.depthLimit) levels of others")
        }
        switch self {
        case .source(let name): return ("sources.name = ?", [name])
        case .sourcePrefix(let prefix): return ("substr(sources.name, 1, length(?)) = ?", [prefix, prefix])
        case .collection(let name): return ("sources.collection = ?", [name])
        case .metadata(let key, let value):
            return (
                "EXISTS (SELECT 1 FROM json_each(sources.metadata) AS m WHERE m.key = ? AND m.value = ?)", [key, value]
            )
        case .heading(let text):
            return (
                "EXISTS (SELECT 1 FROM json_each(passages.headings) AS h WHERE instr(lower(h.value), lower(?)) > 0)",
                [text]
            )
        case .pages(let pages): return ("passages.page BETWEEN ? AND ?", [pages.lowerBound, pages.upperBound])
        case .all(let filters): return try Self.joined(filters, " AND ", empty: "1", depth)
        case .any(let filters): return try Self.joined(filters, " OR ", empty: "0", depth)
        case .not(let filter):
            let inner = try filter.condition(depth: depth + 1)
            return ("NOT coalesce(\(inner.sql), 0)", inner.arguments)
        }
    }

    private static func joined(
        _ filters: [PassageFilter], _ word: String, empty: String, _ depth: Int
    ) throws(RetrievalError) -> (sql: String, arguments: [any DatabaseValueConvertible & Sendable]) {
        guard !filters.isEmpty else { return (empty, []) }
        var parts: [String] = []
        var arguments: [any DatabaseValueConvertible & Sendable] = []
        for filter in filters {
            let inner = try filter.condition(depth: depth + 1)
            parts.append(inner.sql)
            arguments += inner.arguments
        }
        return ("(" + parts.joined(separator: word) + ")", arguments)
    }
}
