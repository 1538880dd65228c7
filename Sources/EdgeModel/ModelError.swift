package import EdgeCache

/// Why a file cannot be used as a model, and where in it the reason lies.
package struct ModelError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure. More may come, so a `switch` over them needs a default.
    package enum Code: String, Sendable {
        case unreadable, notGGUF, truncated, malformed, unsupportedVersion
        case unsupportedArchitecture, unsupportedTensorType, unsupportedTokenizer
        case missingMetadata, invalidMetadata, missingTensor, tensorShapeMismatch, invalidVocabulary
        case adapterMismatch
        case insufficientMemory
    }

    package var code: Code
    /// What is wrong, and what would be right.
    package var message: String
    /// The metadata key it is about.
    package var key: String?
    /// The tensor it is about.
    package var tensor: String?
    /// The byte of the file it is about.
    package var byteOffset: Int?

    package init(_ code: Code, _ message: String, key: String? = nil, tensor: String? = nil, byteOffset: Int? = nil) {
        self.code = code
        self.message = message
        self.key = key
        self.tensor = tensor
        self.byteOffset = byteOffset
    }

    package var description: String {
        var place: [String] = []
        if let key { place.append("key \(key)") }
        if let tensor { place.append("tensor \(tensor)") }
        if let byteOffset { place.append("byte \(byteOffset)") }
        return place.isEmpty ? message : "\(message) (\(place.joined(separator: ", ")))"
    }
}

extension ModelError {
    /// Why there can be no such cache.
    package init(cache error: CacheError) {
        if case .storage(let reason) = error {
            self.init(.unreadable, "keys and values cannot be kept in a file: \(reason)")
        } else {
            self.init(.insufficientMemory, error.description)
        }
    }
}
