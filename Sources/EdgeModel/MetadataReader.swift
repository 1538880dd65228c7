internal import EdgeGGUF

/// Typed reads of a file's metadata whose errors name the key, and tell missing from wrong.
struct MetadataReader {
    let file: GGUFFile

    func optionalInt(_ key: String, in range: ClosedRange<Int>) throws(ModelError) -> Int? {
        guard let value = file[key] else { return nil }
        guard let number = value.int else { throw wrongType(key, value, "an integer") }
        guard range.contains(number) else {
            throw ModelError(
                .invalidMetadata, "\(number) is outside \(range.lowerBound)...\(range.upperBound)", key: key)
        }
        return number
    }

    func int(_ key: String, in range: ClosedRange<Int>) throws(ModelError) -> Int {
        guard let number = try optionalInt(key, in: range) else { throw missing(key) }
        return number
    }

    func optionalFloat(_ key: String) throws(ModelError) -> Float? {
        guard let value = file[key] else { return nil }
        guard let number = value.float else { throw wrongType(key, value, "a number") }
        guard number.isFinite else { throw ModelError(.invalidMetadata, "\(number) is not finite", key: key) }
        return number
    }

    func float(_ key: String) throws(ModelError) -> Float {
        guard let number = try optionalFloat(key) else { throw missing(key) }
        return number
    }

    func optionalString(_ key: String) throws(ModelError) -> String? {
        guard let value = file[key] else { return nil }
        guard let text = value.text else { throw wrongType(key, value, "a string") }
        return text
    }

    func string(_ key: String) throws(ModelError) -> String {
        guard let text = try optionalString(key) else { throw missing(key) }
        return text
    }

    private func missing(_ key: String) -> ModelError {
        ModelError(.missingMetadata, "the file does not say its '\(key)'", key: key)
    }

    private func wrongType(_ key: String, _ value: GGUFValue, _ expected: String) -> ModelError {
        ModelError(.invalidMetadata, "is of type \(value.typeName), but must be \(expected)", key: key)
    }
}
