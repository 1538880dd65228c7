internal import Foundation

extension GenerationSchema: Codable {
    /// Reads a JSON Schema.
    ///
    /// Decoders forget the order of keys: `x-order`, which `encode(to:)` writes, says the order of properties. Without it they come
    /// in alphabetical order; see `init(jsonSchema:)` for a text that has its own.
    /// - Throws: `DecodingError`.
    public init(from decoder: any Decoder) throws {
        node = .document(try SchemaValue(from: decoder).content)
    }

    /// Writes a JSON Schema, with the order of properties in `x-order`.
    ///
    /// - Throws: `LanguageModelError.unsupportedGenerationGuide`, `EncodingError`.
    public func encode(to encoder: any Encoder) throws { try SchemaValue(content: document()).encode(to: encoder) }
}

/// JSON of any form, for coders.
private struct SchemaValue: Codable {
    struct Key: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private static let order = Key(stringValue: "x-order")
    private static let depthLimit = 128

    let content: GeneratedContent

    init(content: GeneratedContent) { self.content = content }

    init(from decoder: any Decoder) throws {
        guard decoder.codingPath.count <= Self.depthLimit else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "a schema nests at most 128 levels"))
        }
        if let container = try? decoder.container(keyedBy: Key.self) {
            var made = ContentBuilder()
            for key in container.allKeys.sorted(by: { $0.stringValue < $1.stringValue })
            where key.stringValue != Self.order.stringValue {
                made[key.stringValue] = try container.decode(SchemaValue.self, forKey: key).content
            }
            if let order = try? container.decode([String].self, forKey: Self.order), let known = made["properties"] {
                let given = ContentBuilder(known)
                var sorted = ContentBuilder()
                for name in order where given[name] != nil { sorted[name] = given[name] }
                for name in given.keys where sorted[name] == nil { sorted[name] = given[name] }
                made["properties"] = sorted.content
            }
            content = made.content
        } else if var container = try? decoder.unkeyedContainer() {
            var elements: [GeneratedContent] = []
            while !container.isAtEnd { elements.append(try container.decode(SchemaValue.self).content) }
            content = GeneratedContent(.array(elements))
        } else {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                content = GeneratedContent(.null)
            } else if let value = try? container.decode(Bool.self) {
                content = value.generatedContent
            } else if let value = try? container.decode(Int.self) {
                content = value.generatedContent
            } else if let value = try? container.decode(Decimal.self) {
                content = value.generatedContent
            } else {
                content = try container.decode(String.self).generatedContent
            }
        }
    }

    func encode(to encoder: any Encoder) throws {
        switch content.storage {
        case .structure(let properties, let keys):
            var container = encoder.container(keyedBy: Key.self)
            for key in keys {
                guard let value = properties[key] else { continue }
                try container.encode(SchemaValue(content: value), forKey: Key(stringValue: key))
                if key == "properties", case .structure(_, let names) = value.storage {
                    try container.encode(names, forKey: Self.order)
                }
            }
        case .array(let elements):
            var container = encoder.unkeyedContainer()
            for element in elements { try container.encode(SchemaValue(content: element)) }
        case .null:
            var container = encoder.singleValueContainer()
            try container.encodeNil()
        case .bool(let value): try value.encode(to: encoder)
        case .string(let value): try value.encode(to: encoder)
        case .number(let number):
            if let value = Int(number.spelling) {
                try value.encode(to: encoder)
            } else if let value = try? Decimal(content) {
                try value.encode(to: encoder)
            } else {
                try number.double.encode(to: encoder)
            }
        }
    }
}
