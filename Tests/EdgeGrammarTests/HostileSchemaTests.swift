import EdgeGrammar
import EdgeTestSupport
import Testing

@Suite struct HostileSchemaTests {
    /// The kind and the pointer of the error that a schema gives.
    private func defect(_ schema: String, _ options: SchemaOptions = .generating) -> (GrammarError.Kind, String?)? {
        do throws(GrammarError) {
            _ = try JSONSchema.compile(schema, options: options)
            return nil
        } catch {
            return (error.kind, error.pointer)
        }
    }

    @Test func defectsAreTypedAndPlaced() {
        let deep = String(repeating: "[", count: 100_000)
        let bomb =
            "{\"$defs\":{"
            + (0..<60).map { i in
                "\"d\(i)\":{\"anyOf\":[{\"allOf\":[{\"$ref\":\"#/$defs/d\(i + 1)\"},{\"minLength\":\(i)}]},"
                    + "{\"allOf\":[{\"$ref\":\"#/$defs/d\(i + 1)\"},{\"maxLength\":\(i + 100)}]}]}"
            }.joined(separator: ",") + ",\"d60\":{\"pattern\":\"a\"}},\"$ref\":\"#/$defs/d0\"}"
        let cases: [(String, GrammarError.Kind, String?)] = [
            ("", .malformedJSON, nil), ("{\"a\":1,\"a\":2}", .malformedJSON, nil),
            ("{\"a\":\"\\ud800\"}", .malformedJSON, nil),
            (deep, .tooLarge, nil), ("[]", .malformedSchema, ""), ("{\"type\":\"strin\"}", .malformedSchema, "/type"),
            ("{\"properties\":{\"a\":{\"minLength\":-1}}}", .malformedSchema, "/properties/a/minLength"),
            ("{\"maxLength\":1000000000}", .tooLarge, "/maxLength"),
            ("{\"maxLength\":200000}", .tooLarge, "/maxLength"),
            ("{\"minItems\":1000000000}", .tooLarge, "/minItems"), ("{\"minItems\":290000}", .tooLarge, ""),
            ("{\"maxLength\":1e400}", .tooLarge, "/maxLength"), ("{\"minimum\":1e9999}", .tooLarge, nil),
            ("{\"pattern\":\"(a|aa)*b{10000}c{10000}\"}", .tooLarge, "/pattern"),
            ("{\"pattern\":\"(x+x+)+[ab].{40}\"}", .tooLarge, "/pattern"),
            ("{\"pattern\":\"(?=a)\"}", .unsupported, "/pattern"),
            ("{\"pattern\":\"(a)\\\\1\"}", .unsupported, "/pattern"),
            ("{\"pattern\":\"(\"}", .malformedGrammar, "/pattern"),
            ("{\"pattern\":\"" + String(repeating: "(", count: 50_000) + "\"}", .tooLarge, "/pattern"),
            ("{\"$ref\":\"#\"}", .unsupported, ""), ("{\"$ref\":\"#/nowhere\"}", .malformedSchema, "/$ref"),
            ("{\"$ref\":\"https://example.com/x\"}", .unsupported, "/$ref"),
            ("{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#\"}},\"required\":[\"a\"]}", .unsatisfiable, ""),
            ("false", .unsatisfiable, ""),
            ("{\"allOf\":[{\"type\":\"null\"},{\"type\":\"string\"}]}", .unsatisfiable, ""),
            ("{\"uniqueItems\":true}", .unsupported, "/uniqueItems"),
            ("{\"items\":{\"unevaluatedProperties\":false}}", .unsupported, "/items/unevaluatedProperties"),
            ("{\"format\":\"idn-email\"}", .unsupported, "/format"),
            ("{\"multipleOf\":0}", .malformedSchema, "/multipleOf"),
            ("{\"multipleOf\":123457}", .tooLarge, "/multipleOf"), (bomb, .tooLarge, nil),
            ("{\"$schema\":\"http://json-schema.org/draft-04/schema#\"}", .unsupported, "/$schema"),
        ]
        for (schema, kind, pointer) in cases {
            let found = defect(schema)
            #expect(found?.0 == kind, "\(schema.prefix(80)): \(String(describing: found))")
            if let pointer { #expect(found?.1 == pointer, "\(schema.prefix(80)): \(String(describing: found))") }
        }
    }

    @Test func largeEnumerationsAndObjectsWithinTheLimits() throws {
        let words = (0..<20_000).map { "\"word\($0)\"" }.joined(separator: ",")
        let grammar = try JSONSchema.compile("{\"enum\":[\(words)]}")
        #expect(accepts(grammar, "\"word19999\"".utf8))
        #expect(!accepts(grammar, "\"word20000\"".utf8))
        let members = (0..<150).map { "\"member\($0)\":{\"type\":\"integer\"}" }.joined(separator: ",")
        let object = try JSONSchema.compile("{\"type\":\"object\",\"properties\":{\(members)}}")
        #expect(accepts(object, "{\"member3\":1, \"member149\": 2}".utf8))
        #expect(!accepts(object, "{\"member3\":1, \"member2\": 2}".utf8))
    }

    @Test func randomSchemasNeverCrash() throws {
        var random = Random(state: 11)
        var limits = GrammarLimits()
        limits.states = 5_000
        limits.stringStates = 500
        func schema(_ depth: Int, _ random: inout Random) -> String {
            if depth > 3 {
                return ["true", "false", "{}", "{\"type\":\"integer\"}"].randomElement(using: &random) ?? "{}"
            }
            var parts: [String] = []
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                func inner() -> String { schema(depth + 1, &random) }
                let number = Int.random(in: -2...9, using: &random)
                switch Int.random(in: 0..<20, using: &random) {
                case 0:
                    parts.append(
                        "\"type\":\"\(["string", "object", "array", "number"].randomElement(using: &random) ?? "")\"")
                case 1: parts.append("\"minLength\":\(number)")
                case 2: parts.append("\"maxLength\":\(number)")
                case 3:
                    parts.append(
                        "\"pattern\":\"\(["a+", "^b*$", "[^c]d", "(", "é|.{3}"].randomElement(using: &random) ?? "")\"")
                case 4: parts.append("\"items\":\(inner())")
                case 5: parts.append("\"prefixItems\":[\(inner()),\(inner())]")
                case 6: parts.append("\"contains\":\(inner()),\"minContains\":\(number)")
                case 7: parts.append("\"minItems\":\(number)")
                case 8: parts.append("\"properties\":{\"a\":\(inner()),\"b\":\(inner())}")
                case 9: parts.append("\"additionalProperties\":\(inner())")
                case 10: parts.append("\"required\":[\"a\",\"c\"]")
                case 11: parts.append("\"anyOf\":[\(inner()),\(inner())]")
                case 12: parts.append("\"oneOf\":[\(inner()),\(inner())]")
                case 13: parts.append("\"allOf\":[\(inner()),\(inner())]")
                case 14: parts.append("\"not\":\(inner())")
                case 15: parts.append("\"if\":\(inner()),\"then\":\(inner()),\"else\":\(inner())")
                case 16: parts.append("\"$ref\":\"#\"")
                case 17: parts.append("\"maximum\":\(number).5,\"multipleOf\":\(abs(number) + 1)")
                case 18: parts.append("\"patternProperties\":{\"^a\":\(inner())}")
                default: parts.append("\"maxProperties\":\(number)")
                }
            }
            var seen: Set<Substring> = []
            return "{" + parts.filter { seen.insert($0.prefix { $0 != ":" }).inserted }.joined(separator: ",") + "}"
        }
        var (compiled, ended) = (0, 0)
        for _ in 0..<1_000 {
            let text = schema(0, &random)
            var options = Bool.random(using: &random) ? SchemaOptions.generating : .validating
            options.limits = limits
            guard let grammar = try? JSONSchema.compile(text, options: options) else { continue }
            compiled += 1
            guard let plain = try? PlainJSON(Array(text.utf8)) else { continue }
            let validator = PlainValidator(root: plain)
            var matcher = Matcher(grammar, tree: byteTree)
            var bits = [UInt64](repeating: 0, count: 4)
            var written: [UInt8] = []
            for _ in 0..<60 {
                guard try matcher.mask(into: &bits) else { break }
                let allowed = tokens(in: bits, count: 256)
                let closing = allowed.filter { [0x22, 0x5D, 0x7D].contains($0) }
                guard
                    let token = (Bool.random(using: &random) ? closing : allowed).randomElement(using: &random)
                        ?? allowed.randomElement(using: &random)
                else { break }
                expectTrue(matcher.accept(token))
                written.append(UInt8(token))
                if matcher.canEnd {
                    ended += 1
                    guard let value = try? PlainJSON(written) else {
                        Issue.record("not JSON: \(String(decoding: written, as: UTF8.self))")
                        break
                    }
                    // An escape-free exponent is beyond the plain validator's numbers.
                    if written.contains(0x65) || written.contains(0x45) { continue }
                    if !validator.accepts(value) {
                        Issue.record("\(String(decoding: written, as: UTF8.self)) of \(text)")
                    }
                }
            }
        }
        #expect(compiled > 300 && ended > 300, "\(compiled) compiled, \(ended) ended")
    }
}
