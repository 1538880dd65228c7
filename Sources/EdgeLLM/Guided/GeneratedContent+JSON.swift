internal import EdgeGrammar

extension GeneratedContent {
    /// Reads JSON, or the beginning of it: a text that breaks off becomes a value with `isComplete` false, without what is not
    /// known yet.
    ///
    /// At most 4 MiB and 128 levels are read; a name that stands twice in a structure is refused, as is a number with an exponent
    /// beyond a thousand.
    /// - Throws: `GeneratedContentError` with code `malformedJSON` or `tooLarge`, saying the byte.
    public init(json: String) throws {
        do {
            self = try Self.read(Array(json.utf8))
        } catch {
            guard error.code == .malformedJSON, let content = PartialContent.content(of: json) else { throw error }
            self = content
        }
    }

    /// Reads whole JSON.
    static func read(_ bytes: [UInt8]) throws(GeneratedContentError) -> GeneratedContent {
        do throws(GrammarError) {
            return try GeneratedContent(reading: JSON(parsing: bytes, limits: GrammarLimits()))
        } catch {
            throw GeneratedContentError(error.kind == .tooLarge ? .tooLarge : .malformedJSON, error.message)
        }
    }

    private init(reading json: JSON) throws(GrammarError) {
        switch json {
        case .null: self.init(.null)
        case .bool(let value): self.init(.bool(value))
        case .number(let value): self.init(.number(ExactNumber(value)))
        case .string(let text): self.init(.string(text.description))
        case .array(let items):
            var elements: [GeneratedContent] = []
            for item in items { elements.append(try GeneratedContent(reading: item)) }
            self.init(.array(elements))
        case .object(let members):
            var properties: [String: GeneratedContent] = [:]
            var keys: [String] = []
            for member in members {
                let key = member.key.description
                // Two spellings of one name, which JSON tells apart and Swift does not.
                guard properties[key] == nil else {
                    throw GrammarError(.malformedJSON, "not JSON for Swift: the key \"\(key)\" stands in two spellings")
                }
                properties[key] = try GeneratedContent(reading: member.value)
                keys.append(key)
            }
            self.init(.structure(properties, keys))
        }
    }

    /// The value as JSON, on one line, with a space after each comma and colon.
    public var jsonString: String {
        var text = ""
        write(to: &text)
        return text
    }

    private func write(to text: inout String) {
        switch storage {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .number(let number): text += number.spelling
        case .string(let value): Self.write(value, to: &text)
        case .array(let elements):
            text += "["
            for (index, element) in elements.enumerated() {
                if index > 0 { text += ", " }
                element.write(to: &text)
            }
            text += "]"
        case .structure(let properties, let keys):
            text += "{"
            for (index, key) in keys.enumerated() {
                if index > 0 { text += ", " }
                Self.write(key, to: &text)
                text += ": "
                properties[key]?.write(to: &text)
            }
            text += "}"
        }
    }

    private static func write(_ value: String, to text: inout String) {
        text += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case "\u{8}": text += "\\b"
            case "\u{C}": text += "\\f"
            case "\u{0}"..<"\u{20}":
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}
