public import Foundation

/// Where the test data that this project did not make lies: `../shared/data` beside the checkout, or `EDGE_SHARED_DATA`.
public enum SharedData {
    /// The folder, or nil on a machine that lacks it. Tests that need it are skipped there and say so.
    public static let root: URL? = {
        let folder: URL
        if let given = ProcessInfo.processInfo.environment["EDGE_SHARED_DATA"] {
            folder = URL(fileURLWithPath: given, isDirectory: true)
        } else {
            folder = packageRoot.deletingLastPathComponent().appendingPathComponent("shared/data", isDirectory: true)
        }
        return FileManager.default.fileExists(atPath: folder.path) ? folder : nil
    }()

    /// Whether the shared data is there: the condition of `.enabled(if:)`.
    public static var isPresent: Bool { root != nil }

    /// The reason printed where it is not.
    public static let reason = "needs ../shared/data, which is not beside this checkout"

    /// A file below the shared data.
    public static func url(_ path: String) throws -> URL {
        guard let root else { throw CocoaError(.fileNoSuchFile) }
        return root.appendingPathComponent(path)
    }

    /// The little-endian f32 values of a file below the shared data.
    public static func floats(_ path: String) throws -> [Float] {
        try floats(at: url(path))
    }

    /// The little-endian f32 values of any file.
    public static func floats(at url: URL) throws -> [Float] {
        let data = try Data(contentsOf: url)
        return data.withUnsafeBytes { bytes in
            (0..<bytes.count / 4).map {
                Float(bitPattern: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self))
            }
        }
    }
}

/// The folder of the checkout.
public let packageRoot = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

/// The fixtures that this project generates itself.
public let fixtures = packageRoot.appendingPathComponent("Fixtures", isDirectory: true)
