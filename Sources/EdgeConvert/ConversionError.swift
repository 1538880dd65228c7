internal import EdgePlatform

/// Why a folder of a model could not be converted, and where in it the reason lies.
///
/// The description is one line: the file, the defect, the setting or tensor it was found at.
package struct ConversionError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure.
    package enum Code: String, Sendable, CaseIterable {
        /// A file could not be opened or read, or is not there.
        case unreadable
        /// The result could not be written.
        case unwritable
        /// A file ends before something it promises.
        case truncated
        /// A file contradicts its format.
        case malformed
        /// The architecture, or a variant of it, cannot be run.
        case unsupportedArchitecture
        /// A tensor is stored in a type that cannot be read, or is quantized in a way that cannot be kept.
        case unsupportedTensorType
        /// The tokenizer works in a way that GGUF has no name for.
        case unsupportedTokenizer
        /// A setting that is needed is absent.
        case missingMetadata
        /// A setting has a value that makes no sense.
        case invalidMetadata
        /// A tensor is absent.
        case missingTensor
        /// A tensor is there that no part of the architecture uses.
        case unexpectedTensor
        /// A tensor has another shape than the settings ask for.
        case tensorShapeMismatch
        /// The vocabulary contradicts itself or the model.
        case invalidVocabulary
        /// The type asked for cannot hold a value of the model.
        case valueOutOfRange
    }

    package var code: Code
    /// The defect in words.
    package var message: String
    /// The file concerned.
    package var path: String?
    /// The key of a JSON file concerned, its levels parted by dots.
    package var key: String?
    /// The tensor concerned.
    package var tensor: String?
    /// Where in the file the defect was found.
    package var byteOffset: Int?

    package init(
        _ code: Code, _ message: String, path: String? = nil, key: String? = nil, tensor: String? = nil,
        byteOffset: Int? = nil
    ) {
        self.code = code
        self.message = message
        self.path = path
        self.key = key
        self.tensor = tensor
        self.byteOffset = byteOffset
    }

    package var description: String {
        var place: [String] = []
        if let key { place.append("key \(Self.quoted(key))") }
        if let tensor { place.append("tensor \(Self.quoted(tensor))") }
        if let byteOffset { place.append("byte \(byteOffset)") }
        let file = path.map { $0.printable(limit: 4096) + ": " } ?? ""
        return file + message + (place.isEmpty ? "" : " (\(place.joined(separator: ", ")))")
    }

    /// Text from a file in quotes, safe to print: control characters escaped, long text cut.
    static func quoted(_ text: String) -> String { "'\(text.printable(limit: 120))'" }
}
