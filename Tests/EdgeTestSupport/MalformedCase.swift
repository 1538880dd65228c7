internal import Foundation

/// A file of the malformed corpus with the outcome that its manifest asks for.
public struct MalformedCase: Decodable, Sendable, CustomStringConvertible {
    /// Its name in `golden/malformed`.
    public let file: String
    /// The outcome: see the manifest's `outcomes`.
    public let expect: String
    /// What is wrong with it.
    public let why: String
    /// For the test's name.
    public var description: String { "\(file): \(why)" }

    /// All files; none where the shared data is absent.
    public static let all: [MalformedCase] = {
        struct Manifest: Decodable { let files: [MalformedCase] }
        guard let url = try? SharedData.url("golden/malformed/MANIFEST.json"), let data = try? Data(contentsOf: url)
        else { return [] }
        return (try? JSONDecoder().decode(Manifest.self, from: data))?.files ?? []
    }()
}
