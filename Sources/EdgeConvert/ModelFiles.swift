internal import EdgeGrammar
internal import EdgePlatform

/// The files of a model's folder, read by name.
package struct ModelFiles: Sendable {
    package let folder: String

    package init(folder: String) { self.folder = folder }

    /// The path of a file in the folder.
    ///
    /// - Throws: `malformed` for a name that leads out of the folder; names come from files, too.
    func path(_ name: String, namedBy source: String? = nil) throws(ConversionError) -> String {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard !parts.isEmpty, parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }), !name.utf8.contains(0)
        else {
            throw ConversionError(
                .malformed, "the file name \(ConversionError.quoted(name)) leads out of the folder", path: source)
        }
        return "\(folder)/\(name)"
    }

    /// A file's bytes, mapped; nil where there is no such file.
    func bytes(_ name: String) throws(ConversionError) -> ByteView? {
        let path = try path(name)
        do throws(PlatformError) { return try MappedFile(path: path).bytes } catch {
            if error.isMissing { return nil }
            throw ConversionError(.unreadable, error.description)
        }
    }

    /// A text file's contents; nil where there is no such file.
    ///
    /// - Throws: `malformed` for more than `limit` bytes and for what is no UTF-8.
    func text(_ name: String, limit: Int = 1 << 24) throws(ConversionError) -> String? {
        guard let bytes = try bytes(name) else { return nil }
        let path = try path(name)
        guard bytes.count <= limit else {
            throw ConversionError(.malformed, "\(bytes.count) bytes are more than the \(limit) allowed", path: path)
        }
        guard let text = bytes.utf8 else { throw ConversionError(.malformed, "the text is no UTF-8", path: path) }
        return text
    }

    /// A JSON file; nil where there is no such file.
    ///
    /// - Throws: `malformed` for what is no JSON, has a key twice, nests too deep, or is longer than `limit` bytes.
    func json(_ name: String, limit: Int = 1 << 24) throws(ConversionError) -> Settings? {
        guard let bytes = try bytes(name) else { return nil }
        let path = try path(name)
        guard bytes.count <= limit else {
            throw ConversionError(.malformed, "\(bytes.count) bytes are more than the \(limit) allowed", path: path)
        }
        return Settings(try JSON(file: path, bytes.copied()), path: path)
    }
}

extension JSON {
    /// Parses the JSON of a file.
    init(file path: String, _ bytes: [UInt8]) throws(ConversionError) {
        var limits = GrammarLimits()
        limits.sourceBytes = bytes.count
        // Twice what the largest vocabularies and the directories of the largest models have; some 100 bytes of memory each.
        limits.values = 4_000_000
        do throws(GrammarError) { try self.init(parsing: bytes, limits: limits) } catch {
            throw ConversionError(.malformed, error.message, path: path)
        }
    }
}
