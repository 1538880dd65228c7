import ArgumentParser
import EdgeLLM
import EdgeQuantize
import Foundation

/// `edge-llm inspect`: what a GGUF file holds.
struct InspectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Show the metadata and tensors of a GGUF file.")

    @Argument(help: "The GGUF file; of a split model, any part.")
    var file: String

    @Flag(help: "Print one JSON object.")
    var json = false

    @Flag(help: "Show whole arrays and long strings.")
    var full = false

    func run() async throws {
        let contents = try await GGUFContents(contentsOf: URL(fileURLWithPath: file))
        Terminal.write(
            json ? try Terminal.json(Report(contents, path: file, full: full), pretty: true) : table(contents))
        guard !json, let certificate = try QualityCertificate(contentsOf: URL(fileURLWithPath: file)) else { return }
        Terminal.write(Self.text(certificate))
    }

    // MARK: Table

    private func table(_ contents: GGUFContents) -> String {
        var out = "\(file)\n"
        let order = contents.isBigEndian ? "big endian" : "little endian"
        out += "GGUF version \(contents.version), \(order), alignment \(contents.alignment), "
        out += Terminal.size(contents.byteCount)
        if contents.paths.count > 1 { out += " in \(contents.paths.count) files" }
        out += "\n\nMetadata (\(contents.metadata.count) keys)\n"
        out += Terminal.columns(
            contents.metadata.map { [Self.printable($0.key), $0.typeName, Self.text($0.value, full: full)] })
        out += "\nTensors (\(contents.tensors.count))\n"
        out += Terminal.columns(
            contents.tensors.map { tensor in
                [
                    Self.printable(tensor.name), tensor.type,
                    tensor.dimensions.map(String.init).joined(separator: " x "), Terminal.size(tensor.byteCount),
                    "at \(tensor.fileOffset)",
                ]
            })
        out += "\n\(contents.parameterCount) parameters, \(Terminal.size(contents.tensorByteCount)) of tensors, "
        out += String(format: "%.2f bits per weight\n", contents.bitsPerWeight)
        out += Terminal.columns(
            contents.types.map { type in
                [
                    type.type, "\(type.tensorCount) tensor\(type.tensorCount == 1 ? "" : "s")",
                    "\(type.parameterCount) parameters", Terminal.size(type.byteCount),
                    String(format: "%.4g bits per weight", type.bitsPerWeight),
                ]
            })
        return out
    }

    /// What the model lost, by its certificate.
    private static func text(_ certificate: QualityCertificate) -> String {
        "\nCertificate, by \(printable(certificate.tool)); text \(printable(certificate.textName)) "
            + "(\(printable(certificate.textHash))\(certificate.parsesSpecialTokens ? ", with control tokens" : "")), original \(printable(certificate.baseHash))"
            + (certificate.calibrationHash.map { ", calibrated with \(printable($0))" } ?? "") + "\n"
            + CompareCommand.table(certificate.figures)
            + (certificate.tasks.map {
                "\nTasks \(printable($0.name)) (\(printable($0.hash)))\n" + CompareCommand.table($0.comparison)
            } ?? "")
    }

    /// Text from a file, safe for a terminal.
    private static func printable(_ text: String) -> String {
        text.unicodeScalars.contains { $0.properties.generalCategory == .control } ? text.debugDescription : text
    }

    private static func text(_ value: GGUFContents.Value, full: Bool) -> String {
        switch value {
        case .array(let elements):
            let shown = full ? elements.count : min(elements.count, 6)
            return "[" + elements.read().prefix(shown).map { text($0, full: true) }.joined(separator: ", ")
                + (elements.count > shown ? ", … \(elements.count) in all" : "") + "]"
        case .string(let text):
            let quoted = text.debugDescription
            return full || quoted.count <= 60 ? quoted : String(quoted.prefix(60)) + "… (\(text.utf8.count) bytes)"
        case .bool(let flag): return "\(flag)"
        case .integer(let number): return "\(number)"
        case .unsigned(let number): return "\(number)"
        case .float(let number): return "\(number)"
        case .double(let number): return "\(number)"
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
        struct PerType: Encodable {
            let type: String
            let tensorCount: Int
            let parameterCount: Int
            let byteCount: Int
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
        let types: [PerType]
        let parameterCount: Int
        let tensorByteCount: Int
        let bitsPerWeight: Double

        init(_ contents: GGUFContents, path: String, full: Bool) {
            self.path = path
            files = contents.paths
            version = contents.version
            bigEndian = contents.isBigEndian
            alignment = contents.alignment
            byteCount = contents.byteCount
            metadata = contents.metadata.map {
                Entry(key: $0.key, type: $0.typeName, value: JSONValue($0.value, full: full))
            }
            tensors = contents.tensors.map {
                Tensor(
                    name: $0.name, type: $0.type, dimensions: $0.dimensions, byteCount: $0.byteCount,
                    fileOffset: $0.fileOffset, bitsPerWeight: $0.bitsPerWeight)
            }
            types = contents.types.map {
                PerType(
                    type: $0.type, tensorCount: $0.tensorCount, parameterCount: $0.parameterCount,
                    byteCount: $0.byteCount, bitsPerWeight: $0.bitsPerWeight)
            }
            parameterCount = contents.parameterCount
            tensorByteCount = contents.tensorByteCount
            bitsPerWeight = contents.bitsPerWeight
        }
    }

    /// A metadata value in JSON; arrays of more than 64 elements are given by their count, unless `--full`.
    private struct JSONValue: Encodable {
        let value: GGUFContents.Value
        let full: Bool

        init(_ value: GGUFContents.Value, full: Bool) {
            self.value = value
            self.full = full
        }

        private enum CodingKeys: String, CodingKey { case count }

        func encode(to encoder: any Encoder) throws {
            if case .array(let elements) = value, !full, elements.count > 64 {
                var container = encoder.container(keyedBy: CodingKeys.self)
                try container.encode(elements.count, forKey: .count)
                return
            }
            var container = encoder.singleValueContainer()
            switch value {
            case .bool(let flag): try container.encode(flag)
            case .integer(let number): try container.encode(number)
            case .unsigned(let number): try container.encode(number)
            case .float(let number): try container.encode(Double(number))
            case .double(let number): try container.encode(number)
            case .string(let text): try container.encode(text)
            case .array(let elements): try container.encode(elements.read().map { JSONValue($0, full: full) })
            }
        }
    }
}
