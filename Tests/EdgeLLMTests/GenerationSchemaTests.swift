import EdgeGrammar
import Foundation
import Testing

@testable import EdgeLLM

@Suite("Generation schemas") struct GenerationSchemaTests {
    private struct Tree: Generable {
        static var generationSchema: GenerationSchema {
            GenerationSchema(
                type: Self.self,
                properties: [
                    .init(name: "value", type: Int.self), .init(name: "left", type: Tree?.self),
                    .init(name: "rest", type: [Tree].self, guides: [.count(0...2)]),
                ])
        }
        init(_ content: GeneratedContent) throws {}
        var generatedContent: GeneratedContent { GeneratedContent(kind: .null) }
    }

    private enum Shape: Generable {
        case circle, square
        struct Circle: Generable {
            static var generationSchema: GenerationSchema {
                GenerationSchema(type: Self.self, properties: [.init(name: "radius", type: Double.self)])
            }
            init(_ content: GeneratedContent) throws {}
            var generatedContent: GeneratedContent { GeneratedContent(kind: .null) }
        }
        static var generationSchema: GenerationSchema {
            GenerationSchema(type: Self.self, description: "A shape", anyOf: [Circle.self, Int.self])
        }
        init(_ content: GeneratedContent) throws { self = .circle }
        var generatedContent: GeneratedContent { GeneratedContent(kind: .null) }
    }

    @Test("Types become JSON Schema, those within others once")
    func types() throws {
        #expect(
            try Itinerary.generationSchema.jsonSchema()
                == ##"{"description": "A day out", "type": "object", "properties": {"title": {"type": "string"}, "pace": {"type": "string", "enum": ["slow", "brisk"]}, "stops": {"type": "array", "items": {"$ref": "#/$defs/Stop"}, "minItems": 1, "maxItems": 3}, "note": {"type": "string"}}, "required": ["title", "pace", "stops"], "additionalProperties": false, "$defs": {"Stop": {"type": "object", "properties": {"place": {"description": "A town", "type": "string"}, "hours": {"type": "integer", "minimum": 1, "maximum": 12}}, "required": ["place", "hours"], "additionalProperties": false}}}"##
        )
        #expect(try Int?.generationSchema.jsonSchema() == #"{"anyOf": [{"type": "integer"}, {"type": "null"}]}"#)
        #expect(try GeneratedContent.generationSchema.jsonSchema() == "{}")
        #expect(
            try Shape.generationSchema.jsonSchema()
                == ##"{"description": "A shape", "anyOf": [{"$ref": "#/$defs/Circle"}, {"type": "integer"}], "$defs": {"Circle": {"type": "object", "properties": {"radius": {"type": "number"}}, "required": ["radius"], "additionalProperties": false}}}"##
        )
    }

    @Test("A type may contain itself")
    func recursion() throws {
        let text = try Tree.generationSchema.jsonSchema()
        #expect(text.hasPrefix(##"{"$ref": "#/$defs/Tree", "$defs": {"Tree": {"##))
        _ = try JSONSchema.compile(text)
        #expect(try [Tree].generationSchema.jsonSchema().contains("$defs"))
    }

    @Test("Guides that say the same twice both hold, and senseless ones are errors that say where")
    func guides() throws {
        func text<Value: Generable>(_ guides: [GenerationGuide<Value>]) throws -> String {
            try GenerationSchema(
                type: GeneratedContent.self, properties: [.init(name: "p", type: Value.self, guides: guides)]
            ).jsonSchema()
        }
        #expect(try text([.minimum(1), .minimum(3)]).contains(#""minimum": 1, "allOf": [{"minimum": 3}]"#))
        #expect(try text([.range(0.1...0.2)] as [GenerationGuide<Float>]).contains(#""minimum": 0.1, "maximum": 0.2"#))
        #expect(try text([.pattern(#/[a-z]+\d/#)]).contains(#""pattern": "^(?:[a-z]+\\d)$""#))
        #expect(
            try text([.element(.anyOf(["a", "b", "a"]))]).contains(#""items": {"type": "string", "enum": ["a", "b"]}"#))
        for failing in [
            { _ = try text([.minimum(.nan)] as [GenerationGuide<Double>]) },
            { _ = try text([.maximum(.infinity)] as [GenerationGuide<Float>]) }, { _ = try text([.anyOf([])]) },
            { _ = try text([.count(-1)] as [GenerationGuide<[Int]>]) },
        ] as [() throws -> Void] {
            #expect(throws: LanguageModelError.self) { try failing() }
        }
    }

    @Test("Schemas at run time are checked for names")
    func dynamic() throws {
        let leaf = DynamicGenerationSchema(type: Int.self)
        func schema(_ root: DynamicGenerationSchema, _ others: DynamicGenerationSchema...) throws -> String {
            try GenerationSchema(root: root, dependencies: others).jsonSchema()
        }
        let node = DynamicGenerationSchema(
            name: "a/b~",
            properties: [
                .init(name: "next", schema: .init(referenceTo: "a/b~"), isOptional: true),
                .init(name: "v", schema: leaf),
            ])
        let text = try schema(node)
        #expect(text.hasPrefix(##"{"$ref": "#/$defs/a_b_", "##))
        _ = try JSONSchema.compile(text)
        #expect(throws: GenerationSchema.SchemaError.self) { try schema(.init(referenceTo: "nobody")) }
        #expect(throws: GenerationSchema.SchemaError.self) { try schema(node, node) }
        #expect(throws: GenerationSchema.SchemaError.self) { try schema(.init(name: "c", anyOf: [String]())) }
        #expect(throws: GenerationSchema.SchemaError.self) {
            try schema(.init(name: "d", properties: [.init(name: "x", schema: leaf), .init(name: "x", schema: leaf)]))
        }
        // A schema of documents within another keeps its own references.
        struct Given: Generable {
            static var generationSchema: GenerationSchema {
                (try? GenerationSchema(
                    root: DynamicGenerationSchema(
                        name: "N", properties: [.init(name: "n", schema: .init(referenceTo: "N"), isOptional: true)]),
                    dependencies: [])) ?? Int.generationSchema
            }
            init(_ content: GeneratedContent) throws {}
            var generatedContent: GeneratedContent { GeneratedContent(kind: .null) }
        }
        let outer = try [Given].generationSchema.jsonSchema()
        #expect(outer.contains("$id"))
        _ = try JSONSchema.compile(outer)
    }

    @Test("A schema is JSON Schema to coders, with the order of properties")
    func coding() throws {
        for schema in [Itinerary.generationSchema, Tree.generationSchema, Shape.generationSchema] {
            let data = try JSONEncoder().encode(schema)
            let again = try JSONDecoder().decode(GenerationSchema.self, from: data)
            #expect(try GeneratedContent(json: again.jsonSchema()) == GeneratedContent(json: schema.jsonSchema()))
        }
        let data = try JSONEncoder().encode(Itinerary.generationSchema)
        let again = try JSONDecoder().decode(GenerationSchema.self, from: data).jsonSchema()
        let places = try ["title", "pace", "stops", "note"].map {
            try #require(again.range(of: "\"\($0)\": {")).lowerBound
        }
        #expect(places == places.sorted())
        let deep = String(repeating: #"{"not":"#, count: 300) + "{}" + String(repeating: "}", count: 300)
        #expect(throws: (any Error).self) { try JSONDecoder().decode(GenerationSchema.self, from: Data(deep.utf8)) }
    }
}
