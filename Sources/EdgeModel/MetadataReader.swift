internal import EdgeGGUF

/// A file's typed metadata for the loader: the reader's own getters, their errors as the loader's, and floats that must be finite.
struct MetadataReader {
    let file: GGUFFile

    func optionalInt(_ key: String, in range: ClosedRange<Int>) throws(ModelError) -> Int? {
        try read { metadata throws(GGUFError) in try metadata.optionalInt(key, in: range) }
    }

    func int(_ key: String, in range: ClosedRange<Int>) throws(ModelError) -> Int {
        try read { metadata throws(GGUFError) in try metadata.int(key, in: range) }
    }

    func optionalFloat(_ key: String) throws(ModelError) -> Float? {
        let number = try read { metadata throws(GGUFError) in try metadata.optionalFloat(key) }
        if let number, !number.isFinite {
            throw ModelError(file.metadata.invalid(key, "\(number) is not finite"))
        }
        return number
    }

    func float(_ key: String) throws(ModelError) -> Float {
        guard let number = try optionalFloat(key) else { throw ModelError(file.metadata.missing(key)) }
        return number
    }

    /// A multiplier; nil where the key is absent or 0, which stands for none.
    func factor(_ key: String) throws(ModelError) -> Float? {
        let number = try optionalFloat(key)
        return number == 0 ? nil : number
    }

    func optionalBool(_ key: String) throws(ModelError) -> Bool? {
        try read { metadata throws(GGUFError) in try metadata.optionalBool(key) }
    }

    /// An array of truth values, or of integers that are 0 or not; nil where the key holds no array.
    func optionalFlags(_ key: String) throws(ModelError) -> [Bool]? {
        guard case .array(let array)? = file.metadata[key] else { return nil }
        if array.elementType == .bool {
            return try read { metadata throws(GGUFError) in try metadata.bools(key) }
        }
        return try read { metadata throws(GGUFError) in try metadata.ints(key) }.map { $0 != 0 }
    }

    func optionalString(_ key: String) throws(ModelError) -> String? {
        try read { metadata throws(GGUFError) in try metadata.optionalString(key) }
    }

    func optionalStrings(_ key: String) throws(ModelError) -> [String]? {
        try read { metadata throws(GGUFError) in try metadata.optionalStrings(key) }
    }

    func string(_ key: String) throws(ModelError) -> String {
        try read { metadata throws(GGUFError) in try metadata.string(key) }
    }

    private func read<T>(_ get: (GGUFMetadata) throws(GGUFError) -> T) throws(ModelError) -> T {
        do throws(GGUFError) {
            return try get(file.metadata)
        } catch {
            throw ModelError(error)
        }
    }
}

extension ModelError {
    /// A metadata error of the reader as the loader's: the same key and byte.
    init(_ error: GGUFError) {
        self.init(
            error.code == .missingMetadata ? .missingMetadata : .invalidMetadata, error.message, key: error.key,
            byteOffset: error.byteOffset)
    }
}
