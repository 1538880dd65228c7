import EdgeGrammar
import EdgeTestSupport
import Foundation

/// A schema or grammar, and a text that it allows, written by others.
struct Instance {
    let source: String
    let name: String
    /// Compiles the grammar: once for all instances that it has.
    let grammar: () throws -> Grammar
    let texts: [[UInt8]]
}

extension PlainJSON {
    var members: [(key: String, value: PlainJSON)] {
        guard case .object(let members) = self else { return [] }
        return members.map { (String(String.UnicodeScalarView($0.key)), $0.value) }
    }

    var items: [PlainJSON] { if case .array(let items) = self { items } else { [] } }

    var word: String? { if case .string(let scalars) = self { String(String.UnicodeScalarView(scalars)) } else { nil } }

    init(contentsOf url: URL) throws { try self.init([UInt8](try Data(contentsOf: url))) }

    static func object(_ members: [(String, PlainJSON)]) -> PlainJSON {
        .object(members.map { (Array($0.0.unicodeScalars), $0.1) })
    }
}

/// The leaderboard's names of types are Python's.
func repaired(_ value: PlainJSON) -> PlainJSON {
    switch value {
    case .array(let items): return .array(items.map(repaired))
    case .object:
        let names = [
            "dict": "object", "float": "number", "tuple": "array", "any": "string", "String": "string", "list": "array",
        ]
        let unused: Set<String> = ["description", "default", "optional", "format", "example"]
        return .object(
            value.members.compactMap { key, inner in
                if key == "type", let name = inner.word {
                    return (key, .string(Array((names[name] ?? name).unicodeScalars)))
                }
                if key == "properties" { return (key, .object(inner.members.map { ($0.key, repaired($0.value)) })) }
                if unused.contains(key) { return nil }
                return (key, key == "enum" ? inner : repaired(inner))
            })
    default: return value
    }
}

/// The lines of a file of the Berkeley Function-Calling Leaderboard: the schemas of the functions that each has.
func functions(of path: String) -> [[(name: String, schema: PlainJSON)]] {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return [] }
    return text.split(separator: "\n").compactMap { line in
        guard let entry = try? PlainJSON(Array(line.utf8)) else { return nil }
        let found = entry["function"]?.items ?? (entry["parameters"] != nil ? [entry] : [])
        return found.compactMap { one in
            guard let name = one["name"]?.word, let parameters = one["parameters"] else { return nil }
            return (name, repaired(parameters))
        }
    }
}

/// Calls of the leaderboard: the answers that it accepts, against their functions' parameters.
func calls(in folder: URL) -> [Instance] {
    ["simple_python", "multiple", "parallel", "parallel_multiple"].flatMap { kind -> [Instance] in
        let file = "BFCL_v4_\(kind).json"
        let known = functions(of: folder.appendingPathComponent(file).path)
        let answers = folder.appendingPathComponent("possible_answer/" + file)
        guard let text = try? String(contentsOf: answers, encoding: .utf8) else { return [] }
        return zip(known, text.split(separator: "\n")).flatMap { functions, line -> [Instance] in
            guard let entry = try? PlainJSON(Array(line.utf8)) else { return [] }
            return (entry["ground_truth"]?.items ?? []).flatMap(\.members).compactMap { name, arguments in
                guard let function = functions.first(where: { $0.name == name }) else { return nil }
                let schema = function.schema.text()
                return Instance(
                    source: "BFCL calls", name: schema, grammar: { try JSONSchema.compile(schema) },
                    texts: [Array(chosen(arguments, function.schema).text(expandsExponents: true).utf8)])
            }
        }
    }
}

/// Arguments with, of the values that each may have, the first; an empty string says that it may be left out.
private func chosen(_ value: PlainJSON, _ schema: PlainJSON) -> PlainJSON {
    let properties = schema["properties"]?.members ?? []
    if case .object = value, !properties.isEmpty {
        return .object(
            properties.compactMap { key, inner in
                guard let options = value[key] else { return nil }
                guard case .array(let items) = options else { return (key, chosen(options, inner)) }
                return items.first { $0 != .string([]) }.map { (key, chosen($0, inner)) }
            })
    }
    if case .array(let items) = value, let inner = schema["items"] { return .array(items.map { chosen($0, inner) }) }
    return value
}

/// The groups of JSON-Schema-Test-Suite, each with the data that it calls valid.
func suite(in folder: URL) throws -> [Instance] {
    let drafts: [(String, SchemaOptions.Draft)] = [("draft7", .draft7), ("draft2020-12", .draft2020)]
    return try drafts.flatMap { name, draft in
        try FileManager.default.contentsOfDirectory(
            at: folder.appendingPathComponent("tests/" + name), includingPropertiesForKeys: nil
        ).filter { $0.pathExtension == "json" }.sorted { $0.path < $1.path }.flatMap { file in
            try PlainJSON(contentsOf: file).items.compactMap { group in
                guard let schema = group["schema"]?.text() else { return nil }
                var options = SchemaOptions.validating
                options.draft = draft
                let valid = (group["tests"]?.items ?? []).filter { $0["valid"] == .bool(true) }
                return Instance(
                    source: "JSON-Schema-Test-Suite", name: schema,
                    grammar: { [options] in try JSONSchema.compile(schema, options: options) },
                    texts: valid.compactMap { $0["data"].map { Array($0.text(expandsExponents: true).utf8) } })
            }
        }
    }
}

/// llama.cpp's own grammars and schemas with the texts that they accept, but for the two of tokens, which the recorded texts lack.
func integration(_ file: URL) throws -> [Instance] {
    try PlainJSON(contentsOf: file).items.compactMap { one in
        let isSchema = one["kind"]?.word == "schema"
        let text = one[isSchema ? "schema" : "grammar"]?.word ?? ""
        if !isSchema, text.contains("<[") { return nil }
        var options = SchemaOptions.generating
        options.ignoredKeywords = ["uniqueItems"]
        return Instance(
            source: "llama.cpp grammar_integration", name: text,
            grammar: { [options] in
                try isSchema ? JSONSchema.compile(text, options: options) : GBNF.compile(text)
            },
            texts: (one["pass"]?.items ?? []).compactMap { $0.word.map { Array($0.utf8) } })
    }
}
