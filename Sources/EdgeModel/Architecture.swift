package import EdgeKernels

/// What makes one architecture differ from the others: all that the shared forward pass asks about a family.
///
/// Everything a file states itself (sizes, biases, tied output, experts, frequency factors) is read from the file; here stands
/// only what its readers are expected to know. The default of each field is Llama's.
package struct Architecture: Sendable {
    /// `general.architecture`.
    package var name: String
    /// The components that rotary embedding turns together.
    package var rotaryPairs: RotaryPairs = .adjacent

    /// The architectures that can be run.
    package static let all: [Architecture] = [
        Architecture(name: "llama")
    ]

    /// The architecture of that name.
    package static func named(_ name: String) -> Architecture? { all.first { $0.name == name } }
}
