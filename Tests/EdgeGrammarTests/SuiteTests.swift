import EdgeGrammar
import EdgeTestSupport
import Foundation
import Testing

/// The 256 bytes as a vocabulary: enough to follow texts.
let byteTree = VocabularyTree(
    bytes: (0...255).map { UInt8($0) }, ends: (1...256).map { $0 }, isText: .init(repeating: true, count: 256),
    endTokens: [])

func accepts(_ grammar: Grammar, _ text: some Sequence<UInt8>) -> Bool {
    var matcher = Matcher(grammar, tree: byteTree)
    return matcher.accept(bytes: text) && matcher.canEnd
}

@Suite struct SuiteTests {
    @Test(.enabled(if: SharedData.isPresent, Comment(rawValue: SharedData.reason)))
    func jsonTestSuite() throws {
        let folder = try SharedData.url("json/JSONTestSuite/test_parsing")
        let grammars = [
            try JSONSchema.compile("{}", options: .validating),
            try JSONSchema.compile("{\"not\": false}", options: .validating),
        ]
        var counts: [Character: Int] = [:]
        for file in try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil) {
            let name = file.lastPathComponent
            guard let kind = name.first, "yn".contains(kind) else { continue }
            let bytes = [UInt8](try Data(contentsOf: file))
            for grammar in grammars { #expect(accepts(grammar, bytes) == (kind == "y"), "\(name)") }
            counts[kind, default: 0] += 1
        }
        #expect(counts == ["y": 95, "n": 188])
    }

    static let drafts: [(String, SchemaOptions.Draft)] = [("draft7", .draft7), ("draft2020-12", .draft2020)]

    @Test(.enabled(if: SharedData.isPresent, Comment(rawValue: SharedData.reason)), arguments: drafts)
    func jsonSchemaTestSuite(folder: String, draft: SchemaOptions.Draft) throws {
        let root = try SharedData.url("json/JSON-Schema-Test-Suite/tests/\(folder)")
        var files = try FileManager.default.contentsOfDirectory(at: root, includingPropertiesForKeys: nil)
        files += try FileManager.default.contentsOfDirectory(
            at: root.appendingPathComponent("optional"), includingPropertiesForKeys: nil)
        files += try FileManager.default.contentsOfDirectory(
            at: root.appendingPathComponent("optional/format"), includingPropertiesForKeys: nil)
        // Assertions of the optional part that are annotations here, and the leap seconds that are not offered.
        let annotations: Set<String> = ["content.json"]
        let leapSeconds: Set<String> = ["time.json", "date-time.json"]
        var (schemas, refused, checked) = (0, 0, 0)
        var reasons: [String: Int] = [:]
        for file in files.sorted(by: { $0.path < $1.path }) where file.pathExtension == "json" {
            guard case .array(let groups) = try PlainJSON([UInt8](try Data(contentsOf: file))) else { continue }
            let name = file.lastPathComponent
            let isFormat = file.path.contains("optional/format/")
            if annotations.contains(name), file.path.contains("optional") { continue }
            for group in groups {
                guard let schema = group["schema"], case .array(let tests)? = group["tests"] else { continue }
                var options = SchemaOptions.validating
                options.draft = draft
                options.assertsFormats = isFormat
                schemas += 1
                let grammar: Grammar
                do {
                    grammar = try JSONSchema.compile(schema.text(), options: options)
                } catch {
                    if error.kind == .unsatisfiable {
                        for test in tests {
                            #expect(test["valid"] == .bool(false), "\(name): \(error) \(schema.text())")
                        }
                    } else {
                        refused += 1
                        let key =
                            name + ": " + String(describing: error.kind) + " " + String(error.description.prefix(100))
                        reasons[key, default: 0] += 1
                    }
                    continue
                }
                for test in tests {
                    guard let data = test["data"] else { continue }
                    checked += 1
                    let text = data.text(expandsExponents: true)
                    let isValid = test["valid"] == .bool(true)
                    if isFormat, leapSeconds.contains(name), isValid, text.contains(":60"), !text.contains("23:59:60") {
                        continue
                    }
                    if accepts(grammar, Array(text.utf8)) != isValid {
                        Issue.record(
                            "\(folder) \(isFormat ? "format/" : "")\(name): \(schema.text()) on \(text) should be \(isValid)"
                        )
                    }
                }
            }
        }
        // Fewer refusals are welcome; more are a loss.
        #expect(schemas - refused >= (draft == .draft7 ? 281 : 321), "\(refused) of \(schemas) refused: \(reasons)")
        #expect(checked > 1_200)
    }
}

/// `#expect` for what changes something: its macro may not.
func expectTrue(_ value: Bool, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(value, sourceLocation: sourceLocation)
}
