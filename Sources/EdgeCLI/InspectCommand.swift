import ArgumentParser
import EdgeGGUF
import EdgeQuant
import Foundation

/// `edge-llm inspect`: what a GGUF file holds.
struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Show the metadata and tensors of a GGUF file.")

    @Argument(help: "The GGUF file; of a split model, any part.")
    var file: String

    @Flag(help: "Print one JSON object.")
    var json = false

    @Flag(help: "Show whole arrays and long strings.")
    var full = false

    func run() throws {
        let file = try GGUFFile(path: file)
        Terminal.write(json ? try Terminal.json(Report(file, full: full), pretty: true) : table(file))
    }

    // MARK: Table

    private func table(_ file: GGUFFile) -> String {
        var out = "\(file.path)\n"
        let order = file.isBigEndian ? "big endian" : "little endian"
        out += "GGUF version \(file.version), \(order), alignment \(file.alignment), \(Terminal.size(file.byteCount))"
        if file.paths.count > 1 { out += " in \(file.paths.count) files" }
        out += "\n\nMetadata (\(file.metadata.count) keys)\n"
        out += Terminal.columns(
            file.metadata.entries.map(\.key).map { key in
                let value = file.metadata[key]
                return [Self.printable(key), value?.typeName ?? "", value.map { Self.text($0, full: full) } ?? ""]
            })
        out += "\nTensors (\(file.tensors.count))\n"
        out += Terminal.columns(
            file.tensors.map { tensor in
                [
                    Self.printable(tensor.name), tensor.type.name,
                    tensor.dimensions.map(String.init).joined(separator: " x "), Terminal.size(tensor.byteCount),
                    "at \(tensor.fileOffset)",
                ]
            })
        let summary = Summary(file)
        out += "\n\(summary.parameterCount) parameters, \(Terminal.size(summary.tensorByteCount)) of tensors, "
        out += String(format: "%.2f bits per weight\n", summary.bitsPerWeight)
        out += Terminal.columns(
            summary.types.map { type in
                [
                    type.type, "\(type.tensorCount) tensor\(type.tensorCount == 1 ? "" : "s")",
                    "\(type.parameterCount) parameters", Terminal.size(type.byteCount),
                    String(format: "%.4g bits per weight", type.bitsPerWeight),
                ]
            })
        return out
    }

    /// Text from a file, safe for a terminal.
    private static func printable(_ text: String) -> String {
        text.unicodeScalars.contains { $0.properties.generalCategory == .control } ? text.debugDescription : text
    }

    private static func text(_ value: GGUFValue, full: Bool) -> String {
        let limit = full ? Int.max : 60
        if let array = value.array {
            let shown = full ? array.count : min(array.count, 6)
            var elements: [String] = []
            for element in elementTexts(array).prefix(shown) { elements.append(element) }
            return "[" + elements.joined(separator: ", ") + (array.count > shown ? ", … \(array.count) in all" : "")
                + "]"
        }
        if let text = value.text {
            let quoted = text.debugDescription
            return quoted.count <= limit ? quoted : String(quoted.prefix(limit)) + "… (\(text.utf8.count) bytes)"
        }
        return scalar(value)
    }

    private static func scalar(_ value: GGUFValue) -> String {
        if let flag = value.bool { return flag ? "true" : "false" }
        if let number = value.int { return String(number) }
        if case .uint64(let number) = value { return String(number) }
        if case .float64(let number) = value { return "\(number)" }
        return value.float.map { "\($0)" } ?? "?"
    }

    private static func elementTexts(_ array: GGUFArray) -> [String] {
        if let values = array.strings() { return values.map(\.debugDescription) }
        if let values = array.bools() { return values.map { $0 ? "true" : "false" } }
        if let values = array.ints() { return values.map(String.init) }
        if let values = array.doubles() { return values.map { "\($0)" } }
        if let values = array.arrays() { return values.map { "[" + elementTexts($0).joined(separator: ", ") + "]" } }
        return []
    }

    // MARK: Figures

    private struct Summary {
        struct PerType: Encodable {
            let type: String
            var tensorCount = 0
            var parameterCount = 0
            var byteCount = 0
            var bitsPerWeight: Double { parameterCount > 0 ? 8 * Double(byteCount) / Double(parameterCount) : 0 }
        }

        var types: [PerType] = []
        var parameterCount = 0
        var tensorByteCount = 0
        var bitsPerWeight: Double { parameterCount > 0 ? 8 * Double(tensorByteCount) / Double(parameterCount) : 0 }

        init(_ file: GGUFFile) {
            var index: [GGMLType: Int] = [:]
            for tensor in file.tensors {
                let position = index[tensor.type] ?? types.count
                if position == types.count {
                    index[tensor.type] = position
                    types.append(PerType(type: tensor.type.name))
                }
                types[position].tensorCount += 1
                types[position].parameterCount += tensor.valueCount
                types[position].byteCount += tensor.byteCount
                parameterCount += tensor.valueCount
                tensorByteCount += tensor.byteCount
            }
            types.sort { ($1.byteCount, $0.type) < ($0.byteCount, $1.type) }
        }
    }

    // MARK: JSON

    private struct Report: Encodable {
        struct Entry: Encodable {
            let key: String
            let type: String
            let value: JSONValue
        }
        struct Tensor: Encodable {
            let name: String
            let type: String
            let dimensions: [Int]
            let byteCount: Int
            let fileOffset: Int
            let bitsPerWeight: Double
        }

        let path: String
        let files: [String]
        let version: Int
        let bigEndian: Bool
        let alignment: Int
        let byteCount: Int
        let metadata: [Entry]
        let tensors: [Tensor]
        let types: [Summary.PerType]
        let parameterCount: Int
        let tensorByteCount: Int
        let bitsPerWeight: Double

        init(_ file: GGUFFile, full: Bool) {
            path = file.path
            files = file.paths
            version = file.version
            bigEndian = file.isBigEndian
            alignment = file.alignment
            byteCount = file.byteCount
            metadata = file.metadata.entries.map(\.key).compactMap { key in
                file.metadata[key].map { Entry(key: key, type: $0.typeName, value: JSONValue($0, full: full)) }
            }
            tensors = file.tensors.map {
                Tensor(
                    name: $0.name, type: $0.type.name, dimensions: $0.dimensions, byteCount: $0.byteCount,
                    fileOffset: $0.fileOffset, bitsPerWeight: $0.type.bitsPerWeight)
            }
            let summary = Summary(file)
            types = summary.types
            parameterCount = summary.parameterCount
            tensorByteCount = summary.tensorByteCount
            bitsPerWeight = summary.bitsPerWeight
        }
    }

    /// A metadata value in JSON; arrays of more than 64 elements are given by their count, unless `--full`.
    private enum JSONValue: Encodable {
        case bool(Bool), int(Int), unsigned(UInt64), double(Double), string(String), array([JSONValue]), elided(Int)

        init(_ value: GGUFValue, full: Bool) {
            if let array = value.array {
                self.init(array, full: full)
            } else if let text = value.text {
                self = .string(text)
            } else if let flag = value.bool {
                self = .bool(flag)
            } else if let number = value.int {
                self = .int(number)
            } else if case .uint64(let number) = value {
                self = .unsigned(number)
            } else if case .float64(let number) = value {
                self = .double(number)
            } else {
                self = .double(value.float.map(Double.init) ?? .nan)
            }
        }

        private init(_ array: GGUFArray, full: Bool) {
            guard full || array.count <= 64 else {
                self = .elided(array.count)
                return
            }
            if let values = array.strings() {
                self = .array(values.map(JSONValue.string))
            } else if let values = array.bools() {
                self = .array(values.map(JSONValue.bool))
            } else if let values = array.ints() {
                self = .array(values.map(JSONValue.int))
            } else if let values = array.doubles() {
                self = .array(values.map(JSONValue.double))
            } else {
                self = .array((array.arrays() ?? []).map { JSONValue($0, full: full) })
            }
        }

        private enum CodingKeys: String, CodingKey { case count }

        func encode(to encoder: any Encoder) throws {
            if case .elided(let count) = self {
                var container = encoder.container(keyedBy: CodingKeys.self)
                try container.encode(count, forKey: .count)
                return
            }
            var container = encoder.singleValueContainer()
            switch self {
            case .bool(let value): try container.encode(value)
            case .int(let value): try container.encode(value)
            case .unsigned(let value): try container.encode(value)
            case .double(let value): try container.encode(value)
            case .string(let value): try container.encode(value)
            case .array(let values): try container.encode(values)
            case .elided: break
            }
        }
    }
}
