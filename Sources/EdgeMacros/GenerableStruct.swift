#if Macros
    internal import SwiftSyntax

    /// A structure, and what is written for it.
    struct GenerableStruct: GenerableType {
        let problems: [Problem]
        private let access: String
        private let properties: [GenerableProperty]
        /// The property that holds the name which the session gives a value.
        private let identity: GenerableProperty?

        init(_ declaration: StructDeclSyntax) {
            var reader = PropertyReader()
            for member in declaration.memberBlock.members { reader.read(member.decl) }
            problems = reader.problems
            access = declaration.memberAccess
            properties = reader.properties.filter { !$0.isIdentity }
            identity = reader.properties.first { $0.isIdentity }
        }

        func members(description: String?) -> [String] { [schema(description), partial] }

        var conversions: [String] { [initialiser, content] }

        private func schema(_ description: String?) -> String {
            let description = description.map { ", description: \($0)" } ?? ""
            let list = properties.map { "\n\($0.schema)," }.joined()
            return """
                nonisolated \(access)static var generationSchema: EdgeLLM.GenerationSchema {
                    EdgeLLM.GenerationSchema(type: Self.self\(description), properties: [\(list)])
                }
                """
        }

        private var initialiser: String {
            var lines = properties.map { "self.\($0.name) = try content.value(forProperty: \($0.key))" }
            if let identity { lines.append("self.\(identity.name) = content.id ?? EdgeLLM.GenerationID()") }
            return """
                nonisolated \(access)init(_ content: EdgeLLM.GeneratedContent) throws {
                    \(lines.joined(separator: "\n"))
                }
                """
        }

        private var content: String {
            let lines = properties.map { property in
                property.isOptional
                    ? "if let value = self.\(property.name) { properties.append((\(property.key), value)) }"
                    : "properties.append((\(property.key), self.\(property.name)))"
            }
            let id = identity.map { "id: self.\($0.name), " } ?? ""
            let keyword = properties.isEmpty ? "let" : "var"
            return """
                nonisolated \(access)var generatedContent: EdgeLLM.GeneratedContent {
                    \(keyword) properties: [(Swift.String, any EdgeLLM.ConvertibleToGeneratedContent)] = []
                    \(lines.joined(separator: "\n"))
                    return EdgeLLM.GeneratedContent(properties: properties, \(id)uniquingKeysWith: { $1 })
                }
                """
        }

        /// The same properties, all optional. It is identifiable unless a property that is generated is called `id`.
        private var partial: String {
            let ownsID = properties.contains { $0.key == "id".quoted }
            let identityName = identity?.name ?? (ownsID ? nil : "id")
            let isIdentifiable = identityName == "id"
            var fields: [String] = []
            var lines: [String] = []
            if let identityName {
                fields.append("\(identity?.access ?? access)var \(identityName): EdgeLLM.GenerationID")
                lines.append("self.\(identityName) = content.id ?? EdgeLLM.GenerationID()")
            }
            for property in properties {
                fields.append("\(property.access)var \(property.name): \(property.partialType)?")
                lines.append("self.\(property.name) = try content.partialValue(forProperty: \(property.key))")
            }
            return """
                nonisolated \(access)struct PartiallyGenerated: \
                \(isIdentifiable ? "Swift.Identifiable, " : "")EdgeLLM.ConvertibleFromGeneratedContent {
                    \(fields.joined(separator: "\n"))

                    nonisolated \(access)init(_ content: EdgeLLM.GeneratedContent) throws {
                        \(lines.joined(separator: "\n"))
                    }
                }
                """
        }
    }
#endif
