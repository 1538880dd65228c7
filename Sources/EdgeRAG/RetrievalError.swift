internal import EdgeDocuments
internal import EdgePlatform
internal import GRDB

/// Why documents cannot be read, stored or searched.
public struct RetrievalError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind of failure; more may be added.
    public struct Code: RawRepresentable, Sendable, Hashable {
        /// The name.
        public let rawValue: String
        /// A code by its name.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// A file is not there or may not be read.
        public static let unreadable = Code(rawValue: "unreadable")
        /// A document, or all vectors together, are larger than may be.
        public static let tooLarge = Code(rawValue: "tooLarge")
        /// A document is no text in UTF-8.
        public static let notText = Code(rawValue: "notText")
        /// A document is of a kind that is not read.
        public static let unsupportedFormat = Code(rawValue: "unsupportedFormat")
        /// A program that a kind of document needs is not installed, or failed.
        public static let toolFailed = Code(rawValue: "toolFailed")
        /// A file is no store of passages.
        public static let notAStore = Code(rawValue: "notAStore")
        /// A file is no knowledge pack.
        public static let notAPack = Code(rawValue: "notAPack")
        /// A store was made by a later version of this library.
        public static let newerStore = Code(rawValue: "newerStore")
        /// A store holds vectors of another embedding model.
        public static let modelMismatch = Code(rawValue: "modelMismatch")
        /// What was asked for needs an embedding model, a reranker, or vectors that are not there.
        public static let modelRequired = Code(rawValue: "modelRequired")
        /// An embedding model gave vectors that cannot be used.
        public static let unusableVectors = Code(rawValue: "unusableVectors")
        /// A store is damaged.
        public static let damagedStore = Code(rawValue: "damagedStore")
        /// Other processes kept the store busy for too long.
        public static let busy = Code(rawValue: "busy")
        /// The disk is full or failed, or there is no memory.
        public static let storageFailed = Code(rawValue: "storageFailed")
        /// Options that make no sense.
        public static let invalidOptions = Code(rawValue: "invalidOptions")
    }

    /// The kind of failure.
    public let code: Code
    /// What is wrong and what to do.
    public let message: String
    /// The byte of a document that is wrong.
    public let byteOffset: Int?

    /// An error.
    public init(code: Code, message: String, byteOffset: Int? = nil) {
        self.code = code
        self.message = message
        self.byteOffset = byteOffset
    }

    /// What is wrong and what to do, in one line.
    public var description: String { byteOffset.map { "\(message) (byte \($0))" } ?? message }
}

extension RetrievalError {
    init(_ error: DocumentError, source: String) {
        let code: Code =
            switch error.code {
            case .unreadable: .unreadable
            case .tooLarge: .tooLarge
            case .notText: .notText
            case .unsupportedFormat: .unsupportedFormat
            case .missingTool, .toolFailed: .toolFailed
            }
        self.init(code: code, message: "\(source): \(error.message)", byteOffset: error.byteOffset)
    }

    init(_ error: PlatformError) { self.init(code: .storageFailed, message: error.description) }

    init(_ error: DatabaseError, store: String) {
        let text = error.message ?? "\(error.resultCode)"
        switch error.resultCode {
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            self.init(
                code: .busy, message: "\(store): other processes have kept the store busy for too long; try again later"
            )
        case .SQLITE_CORRUPT:
            self.init(code: .damagedStore, message: "\(store): the store is damaged (\(text)); index anew")
        case .SQLITE_NOTADB: self.init(code: .notAStore, message: "\(store): the file is no store of passages")
        case .SQLITE_CANTOPEN:
            self.init(
                code: .unreadable, message: "\(store): the store cannot be opened; check the path and its permissions")
        case .SQLITE_READONLY:
            self.init(code: .unreadable, message: "\(store): the store may not be written to; check its permissions")
        default: self.init(code: .storageFailed, message: "\(store): the store failed: \(text)")
        }
    }

    /// Any error as one of this room's, but cancellation and errors of models, which stay what they are.
    static func translate(_ error: any Error, store: String) -> any Error {
        switch error {
        case let error as DatabaseError: RetrievalError(error, store: store)
        case let error as PlatformError: RetrievalError(error)
        default: error
        }
    }
}
