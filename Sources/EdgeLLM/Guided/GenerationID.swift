internal import Foundation

/// A name for a value while it is being generated: the same in all snapshots of it, so that a list on a screen stays steady.
public struct GenerationID: Sendable, Hashable {
    private let root: String
    private let path: String

    /// A name that no other value has.
    public init() { self.init(root: UUID().uuidString, path: "") }

    private init(root: String, path: String) {
        self.root = root
        self.path = path
    }

    /// The name of a part of the value.
    func part(_ name: String) -> GenerationID { GenerationID(root: root, path: path + "/" + name) }
}
