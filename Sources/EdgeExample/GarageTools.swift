import EdgeLLM

/// Reads a trouble code's meaning from a list.
struct LookUpCode: Tool {
    struct Arguments: Generable {
        var code: String

        static var generationSchema: GenerationSchema {
            GenerationSchema(
                type: Self.self,
                properties: [
                    // A pattern is enforced while the model writes: nothing else can arrive.
                    .init(
                        name: "code", description: "Such as P0301", type: String.self,
                        guides: [.pattern("^P0[0-9]{3}$")])
                ])
        }

        init(_ content: GeneratedContent) throws { code = try content.value(forProperty: "code") }
        var generatedContent: GeneratedContent { GeneratedContent(properties: ["code": code]) }
    }

    let name = "look_up_code"
    let description = "Says what a trouble code means"

    func call(arguments: Arguments) async throws -> String {
        let meanings = [
            "P0300": "random misfire", "P0301": "misfire in cylinder 1", "P0420": "catalyst below its efficiency",
        ]
        return meanings[arguments.code] ?? "no such code is known"
    }
}

/// Deletes the car's trouble codes: something that a person should agree to.
struct ClearCodes: Tool {
    struct Arguments: Generable {
        var reason: String

        static var generationSchema: GenerationSchema {
            GenerationSchema(type: Self.self, properties: [.init(name: "reason", type: String.self)])
        }

        init(_ content: GeneratedContent) throws { reason = try content.value(forProperty: "reason") }
        var generatedContent: GeneratedContent { GeneratedContent(properties: ["reason": reason]) }
    }

    let name = "clear_codes"
    let description = "Deletes all trouble codes of the car"

    func call(arguments: Arguments) async throws -> String { "deleted" }
}

/// What is written into the workshop's book.
struct Report: Generable {
    enum Urgency: String, CaseIterable, Generable { case none, soon, now }

    var summary: String
    var urgency: Urgency
    var hours: Int

    static var generationSchema: GenerationSchema {
        GenerationSchema(
            type: Self.self, description: "A line of the workshop's book",
            properties: [
                .init(name: "summary", type: String.self, guides: [.pattern("^[A-Za-z ,.]{1,60}$")]),
                .init(name: "urgency", type: Urgency.self),
                .init(name: "hours", description: "Hours of work", type: Int.self, guides: [.range(1...8)]),
            ])
    }

    init(_ content: GeneratedContent) throws {
        summary = try content.value(forProperty: "summary")
        urgency = try content.value(forProperty: "urgency")
        hours = try content.value(forProperty: "hours")
    }

    var generatedContent: GeneratedContent {
        GeneratedContent(properties: ["summary": summary, "urgency": urgency, "hours": hours])
    }
}
