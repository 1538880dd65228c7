internal import EdgePlatform

/// What is wrong with a GGUF file, and where.
///
/// Nothing but this error may come of a malformed file. The description is one line: the file, the defect, the key or
/// tensor and byte it was found at, and what to do.
package struct GGUFError: Error, Sendable, CustomStringConvertible {
    /// The kinds of defect.
    package enum Code: String, Sendable, CaseIterable {
        /// The file does not start with the magic `GGUF`.
        case notGGUF
        /// The file ends before something it promises.
        case truncated
        /// The version is none of 1, 2, 3 in either byte order.
        case unsupportedVersion
        /// A field contradicts the format.
        case malformed
        /// A metadata key occurs twice.
        case duplicateKey
        /// A tensor name occurs twice.
        case duplicateTensor
        /// The tensor's type is unknown or cannot be decoded here.
        case unsupportedTensorType
        /// A metadata key that the caller needs is absent.
        case missingMetadata
        /// A metadata value has another type than the caller needs.
        case wrongMetadataType
        /// A metadata value, or something given to the writer, has the right type but no usable value.
        case invalidValue
        /// A part of a split file is missing or belongs to another set.
        case missingSplit
        /// The system could not open, map or write the file.
        case unreadable
    }

    package let code: Code
    /// The defect in words, without the position.
    package let message: String
    /// Where in the file the defect was found.
    package let byteOffset: Int?
    /// The metadata key concerned.
    package let key: String?
    /// The name of the tensor concerned.
    package let tensor: String?
    /// The file as the caller named it; for a split file the part concerned.
    package let path: String

    package init(
        _ code: Code, _ message: String, byteOffset: Int? = nil, key: String? = nil, tensor: String? = nil,
        path: String = ""
    ) {
        self.code = code
        self.message = message
        self.byteOffset = byteOffset
        self.key = key
        self.tensor = tensor
        self.path = path
    }

    package var description: String {
        var place: [String] = []
        if let key { place.append("key \(GGUFError.quoted(key))") }
        if let tensor { place.append("tensor \(GGUFError.quoted(tensor))") }
        if let byteOffset { place.append("byte \(byteOffset)") }
        let file = path.isEmpty ? "" : path.printable(limit: 4096) + ": "
        let position = place.isEmpty ? "" : " (\(place.joined(separator: ", ")))"
        return "\(file)\(message)\(position)\(advice)"
    }

    private var advice: String {
        switch code {
        case .notGGUF: "; give the path of a .gguf model"
        case .truncated: "; the download or copy is incomplete, fetch the file again"
        case .unsupportedVersion: "; convert the model again with current tools"
        case .malformed, .duplicateKey, .duplicateTensor: "; the file is damaged, fetch or convert it again"
        case .unsupportedTensorType: "; quantize the model to one of the supported types"
        case .missingMetadata, .wrongMetadataType, .invalidValue: "; convert the model again with current tools"
        case .missingSplit: "; put all parts of the model into one folder under their original names"
        case .unreadable: "; check the path and its permissions"
        }
    }
}

extension GGUFError {
    /// Text from a file in quotes, safe to print: control characters escaped, long text cut.
    static func quoted(_ text: String) -> String { "'\(text.printable(limit: 80))'" }
}
