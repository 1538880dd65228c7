/// Why values could not be decoded or encoded.
package struct QuantError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure.
    package enum Code: Sendable {
        /// The type number is none that can be decoded.
        case unsupportedType
        /// The number of values is no whole number of blocks, or the byte count does not match it.
        case lengthMismatch
    }

    package let code: Code
    /// One line that names the type and the lengths.
    package let message: String
    package var description: String { message }

    /// Lengths that do not fit each other.
    package static func length(_ type: GGMLType, values: Int, bytes: Int) -> QuantError {
        QuantError(
            code: .lengthMismatch,
            message: "\(type.name): \(values) values and \(bytes) bytes do not match; "
                + "a block is \(type.blockLength) values in \(type.blockByteCount) bytes")
    }
}

extension GGMLType {
    /// The type with a file's number.
    ///
    /// - Throws: `QuantError` with the name of the type and of all supported ones.
    package init(supported raw: UInt32) throws(QuantError) {
        guard let type = GGMLType(rawValue: raw) else {
            throw QuantError(
                code: .unsupportedType,
                message: "tensor type \(raw) (\(GGMLType.name(ofRawValue: raw))) is not supported; "
                    + "supported: \(GGMLType.supportedNames)")
        }
        self = type
    }
}
