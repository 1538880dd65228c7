#if Macros
    internal import SwiftSyntax

    /// An enumeration, and what is written for it: a text where no case has a payload, else a structure with one property, as
    /// `Codable` writes enumerations.
    struct GenerableEnum: GenerableType {
        private struct Case {
            /// The name as it stands in the program.
            let name: String
            /// The name in JSON, as a literal.
            let key: String
            let payload: [Value]

            var pattern: String {
                payload.isEmpty ? ".\(name)" : ".\(name)(\(payload.map(\.binding).joined(separator: ", ")))"
            }
        }

        private struct Value {
            let label: String?
            let key: String
            let type: String
            let isOptional: Bool
            let binding: String
        }

        let problems: [Problem]
        private let access: String
        private let cases: [Case]
        private let hasTextValues: Bool

        init(_ declaration: EnumDeclSyntax) {
            access = declaration.memberAccess
            let first = declaration.inheritanceClause?.inheritedTypes.first?.type.trimmedDescription
            hasTextValues = first == "String" || first == "Swift.String"
            var cases: [Case] = []
            var names: Set<String> = []
            var problems: [Problem] = []
            for member in declaration.memberBlock.members {
                if let conditional = member.decl.as(IfConfigDeclSyntax.self) {
                    let holdsCase = conditional.clauses.contains { clause in
                        guard case .decls(let members)? = clause.elements else { return false }
                        return members.contains { $0.decl.is(EnumCaseDeclSyntax.self) }
                    }
                    if holdsCase { problems.append(Problem(.conditional, at: conditional)) }
                }
                guard let declared = member.decl.as(EnumCaseDeclSyntax.self) else { continue }
                for element in declared.elements {
                    if !names.insert(element.name.plainName).inserted {
                        problems.append(Problem(.caseTwice, at: element))
                    }
                    var payload: [Value] = []
                    for (index, parameter) in (element.parameterClause?.parameters).map(Array.init)?.enumerated()
                        ?? [].enumerated()
                    {
                        let (wrapped, isOptional) = parameter.type.unwrapped
                        if let reason = wrapped.whyNotGenerable {
                            problems.append(Problem(.type(reason), at: parameter.type))
                        }
                        let label = parameter.firstName.flatMap { $0.tokenKind == .wildcard ? nil : $0 }
                        payload.append(
                            Value(
                                label: label?.text, key: (label?.plainName ?? "_\(index)").quoted,
                                type: parameter.type.trimmedDescription, isOptional: isOptional,
                                binding: "value\(index)"))
                    }
                    cases.append(
                        Case(name: element.name.text, key: element.name.plainName.quoted, payload: payload))
                }
            }
            if cases.isEmpty { problems.append(Problem(.noCases, at: declaration.name)) }
            self.problems = problems
            self.cases = cases
        }

        private var hasPayload: Bool { cases.contains { !$0.payload.isEmpty } }

        func members(description: String?) -> [String] {
            let description = description.map { ", description: \($0)" } ?? ""
            return [hasPayload ? payloadSchema(description) : schema(description)]
        }

        var conversions: [String] {
            hasPayload ? [payloadInitialiser, payloadContent] : [initialiser, content]
        }

        /// The text of a case.
        private func text(_ one: Case) -> String { hasTextValues ? "Self.\(one.name).rawValue" : one.key }

        private func schema(_ description: String) -> String {
            """
            nonisolated \(access)static var generationSchema: EdgeLLM.GenerationSchema {
                EdgeLLM.GenerationSchema(
                    type: Self.self\(description), anyOf: [\(cases.map { text($0) }.joined(separator: ", "))])
            }
            """
        }

        private var initialiser: String {
            let branches = cases.map { "case \(text($0)): self = .\($0.name)" }
            return """
                nonisolated \(access)init(_ content: EdgeLLM.GeneratedContent) throws {
                    let name = try Swift.String(content)
                    switch name {
                    \(branches.joined(separator: "\n"))
                    \(unknown)
                    }
                }
                """
        }

        private var unknown: String {
            #"default: throw EdgeLLM.GeneratedContentError(.unknownValue, "\"\(name.prefix(80))\" is no \(Self.self)")"#
        }

        private var content: String {
            let branches = cases.map { "case .\($0.name): \(text($0)).generatedContent" }
            return """
                nonisolated \(access)var generatedContent: EdgeLLM.GeneratedContent {
                    switch self {
                    \(branches.joined(separator: "\n"))
                    }
                }
                """
        }

        private func payloadSchema(_ description: String) -> String {
            let list = cases.map { one in
                let properties = one.payload.map {
                    "\nEdgeLLM.GenerationSchema.Property(name: \($0.key), type: \($0.type).self),"
                }
                return "\nEdgeLLM.GenerationSchema.Case(name: \(one.key), properties: [\(properties.joined())]),"
            }
            return """
                nonisolated \(access)static var generationSchema: EdgeLLM.GenerationSchema {
                    EdgeLLM.GenerationSchema(type: Self.self\(description), cases: [\(list.joined())])
                }
                """
        }

        private var payloadInitialiser: String {
            let branches = cases.map { one in
                let values = one.payload.map { value in
                    (value.label.map { "\($0): " } ?? "") + "try payload.value(forProperty: \(value.key))"
                }
                let payload = values.isEmpty ? "" : "(\(values.joined(separator: ", ")))"
                return "case \(one.key): self = .\(one.name)\(payload)"
            }
            return """
                nonisolated \(access)init(_ content: EdgeLLM.GeneratedContent) throws {
                    let (name, payload) = try content.caseAndPayload()
                    switch name {
                    \(branches.joined(separator: "\n"))
                    \(unknown)
                    }
                }
                """
        }

        private var payloadContent: String {
            let branches = cases.map { one in
                let lines = one.payload.map { value in
                    value.isOptional
                        ? "if let \(value.binding) { payload.append((\(value.key), \(value.binding))) }"
                        : "payload.append((\(value.key), \(value.binding)))"
                }
                let pattern = one.payload.isEmpty ? one.pattern : "let \(one.pattern)"
                return """
                    case \(pattern):
                        name = \(one.key)
                        \(lines.joined(separator: "\n"))
                    """
            }
            return """
                nonisolated \(access)var generatedContent: EdgeLLM.GeneratedContent {
                    let name: Swift.String
                    var payload: [(Swift.String, any EdgeLLM.ConvertibleToGeneratedContent)] = []
                    switch self {
                    \(branches.joined(separator: "\n"))
                    }
                    return EdgeLLM.GeneratedContent(
                        properties: [name: EdgeLLM.GeneratedContent(properties: payload, uniquingKeysWith: { $1 })])
                }
                """
        }
    }
#endif
