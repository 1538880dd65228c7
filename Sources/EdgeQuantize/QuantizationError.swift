internal import EdgeGGUF
internal import EdgePlatform

/// Why a model could not be quantized, measured or certified.
public struct QuantizationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of failure. An open set: compare with the constants, and have a default.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private let name: String
        /// The name of the constant.
        public var description: String { name }

        /// A tensor is quantized already, and doing it twice was not asked for.
        public static let requantization = Code(name: "requantization")
        /// A tensor holds a value that is no number or infinite.
        public static let notFinite = Code(name: "notFinite")
        /// A tensor's rows do not fit the type that was asked for.
        public static let unfitShape = Code(name: "unfitShape")
        /// A pattern for the names of tensors is malformed, or matches none.
        public static let invalidPattern = Code(name: "invalidPattern")
        /// The importance matrix is damaged or was made for another model.
        public static let invalidImportance = Code(name: "invalidImportance")
        /// The input cannot be read.
        public static let unreadable = Code(name: "unreadable")
        /// The result cannot be written: the disk is full, or the folder is missing.
        public static let unwritable = Code(name: "unwritable")
        /// Options contradict each other.
        public static let invalidOptions = Code(name: "invalidOptions")
        /// Nothing meets what was asked for.
        public static let unreachable = Code(name: "unreachable")
        /// A file has no certificate, or one that cannot be read.
        public static let invalidCertificate = Code(name: "invalidCertificate")
        /// A file of cases that cannot be read; the message names the line.
        public static let invalidCases = Code(name: "invalidCases")
    }

    /// The kind of failure.
    public var code: Code
    /// What is wrong, where, and what to do, in one line.
    public var message: String
    /// The tensor it is about.
    public var tensor: String?

    /// The message.
    public var description: String { message }

    init(_ code: Code, _ message: String, tensor: String? = nil) {
        self.code = code
        self.message = message
        self.tensor = tensor
    }
}
