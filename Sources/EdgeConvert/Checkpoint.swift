internal import EdgeGrammar

/// All tensors of a model's folder: those of `model.safetensors`, or of the parts that `model.safetensors.index.json` names.
package struct Checkpoint: Sendable {
    /// The folder.
    package let path: String
    private let tensors: [String: SafetensorsTensor]

    private static let single = "model.safetensors"
    private static let index = "model.safetensors.index.json"
    /// More parts than any model has.
    private static let mostParts = 4096

    /// Maps the files.
    ///
    /// - Throws: `ConversionError`: `unreadable` where there are no such files, `malformed`, `truncated`, and `missingTensor` where the
    ///   index names a tensor that its part does not have.
    package init(_ files: ModelFiles) throws(ConversionError) {
        path = files.folder
        guard let index = try files.json(Self.index, limit: SafetensorsFile.longestHeader) else {
            guard let bytes = try files.bytes(Self.single) else {
                throw ConversionError(
                    .unreadable,
                    "there is neither \(Self.single) nor \(Self.index); weights in other formats must be saved as "
                        + "safetensors first", path: files.folder)
            }
            let file = try SafetensorsFile(bytes, path: files.path(Self.single))
            tensors = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, $0) })
            return
        }
        guard let map = try index.optionalObject("weight_map"), let members = map.value.members else {
            throw index.missing("weight_map")
        }
        var parts: [String: [String]] = [:]
        for member in members {
            guard let part = member.value.text else { throw map.invalid(member.key.description, "is no file name") }
            parts[part, default: []].append(member.key.description)
        }
        guard parts.count <= Self.mostParts else {
            throw index.invalid("weight_map", "names \(parts.count) files, more than \(Self.mostParts)")
        }
        var all: [String: SafetensorsTensor] = [:]
        for (part, names) in parts.sorted(by: { $0.key < $1.key }) {
            let path = try files.path(part, namedBy: index.path)
            guard let bytes = try files.bytes(part) else {
                throw ConversionError(.unreadable, "the file is missing, but \(index.path) names it", path: path)
            }
            for tensor in try SafetensorsFile(bytes, path: path).tensors {
                if let other = all.updateValue(tensor, forKey: tensor.name) {
                    throw ConversionError(
                        .malformed, "the tensor is in \(other.path), too", path: path, tensor: tensor.name)
                }
            }
            if let name = names.first(where: { all[$0]?.path != path }) {
                throw ConversionError(
                    .missingTensor, "the tensor is not in the file that \(index.path) names", path: path, tensor: name)
            }
        }
        tensors = all
    }

    /// The tensor of a name.
    package func tensor(_ name: String) -> SafetensorsTensor? { tensors[name] }

    func has(_ name: String) -> Bool { tensors[name] != nil }

    /// All names, sorted.
    package var names: [String] { tensors.keys.sorted() }
}
