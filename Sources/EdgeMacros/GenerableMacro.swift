#if Macros
    package import SwiftSyntax
    internal import SwiftSyntaxBuilder
    package import SwiftSyntaxMacros

    /// `@Generable`. What names the types of properties is written into the type, where they are found as they are in the program; the
    /// rest is an extension, so that the type keeps its memberwise initialiser.
    package enum GenerableMacro: MemberMacro, ExtensionMacro {
        package static func expansion(
            of node: AttributeSyntax, providingMembersOf declaration: some DeclGroupSyntax,
            conformingTo protocols: [TypeSyntax], in context: some MacroExpansionContext
        ) throws -> [DeclSyntax] {
            // Problems are reported where the extension is written: members are written only when somebody looks for them.
            guard let type = read(declaration), type.problems.isEmpty, !isHidden(declaration, in: context) else {
                return []
            }
            return type.members(description: argument("description", of: node)).map { "\(raw: $0)" }
        }

        package static func expansion(
            of node: AttributeSyntax, attachedTo declaration: some DeclGroupSyntax,
            providingExtensionsOf type: some TypeSyntaxProtocol, conformingTo protocols: [TypeSyntax],
            in context: some MacroExpansionContext
        ) throws -> [ExtensionDeclSyntax] {
            guard let made = read(declaration) else {
                context.report(.notAValue, at: node)
                return []
            }
            if isHidden(declaration, in: context) {
                context.report(.hidden, at: node)
                return []
            }
            for problem in made.problems { context.report(problem.diagnosis, at: problem.node) }
            guard made.problems.isEmpty else { return [] }
            // The protocol is missing from the list where the type says that it conforms.
            let conformance = protocols.isEmpty ? "" : ": nonisolated EdgeLLM.Generable"
            let body = made.conversions.joined(separator: "\n\n")
            return [try ExtensionDeclSyntax("extension \(type.trimmed)\(raw: conformance) {\n\(raw: body)\n}")]
        }

        /// Whether an extension in the same file could not name the type.
        private static func isHidden(
            _ declaration: some DeclGroupSyntax, in context: some MacroExpansionContext
        ) -> Bool {
            !context.lexicalContext.isEmpty
                && declaration.modifiers.contains { $0.name.tokenKind == .keyword(.private) }
        }

        private static func argument(_ label: String, of node: AttributeSyntax) -> String? {
            guard case .argumentList(let arguments)? = node.arguments else { return nil }
            return arguments.first { $0.label?.text == label }?.expression.trimmedDescription
        }
    }

    /// What can be generated, and what is written for it.
    protocol GenerableType {
        /// Why it cannot be generated after all.
        var problems: [Problem] { get }
        /// Declarations that name types.
        func members(description: String?) -> [String]
        /// Declarations that name none: from and to content.
        var conversions: [String] { get }
    }

    /// What is wrong, and where.
    struct Problem {
        let diagnosis: Diagnosis
        let node: Syntax

        init(_ diagnosis: Diagnosis, at node: some SyntaxProtocol) {
            self.diagnosis = diagnosis
            self.node = Syntax(node)
        }
    }

    extension GenerableMacro {
        /// Nil for what is no value.
        fileprivate static func read(_ declaration: some DeclGroupSyntax) -> (any GenerableType)? {
            if let declaration = declaration.as(StructDeclSyntax.self) { return GenerableStruct(declaration) }
            return declaration.as(EnumDeclSyntax.self).map { GenerableEnum($0) }
        }
    }

    extension DeclGroupSyntax {
        /// The access that members need to be seen wherever the type is, with a space behind it.
        var memberAccess: String {
            for modifier in modifiers {
                switch modifier.name.tokenKind {
                case .keyword(.public): return "public "
                case .keyword(.package): return "package "
                default: continue
                }
            }
            return ""
        }
    }

    extension TokenSyntax {
        /// A name without the backticks that a keyword needs.
        var plainName: String { identifier?.name ?? text }
    }

    extension String {
        /// A name as a literal of Swift. No name has a backslash; one in backticks may have quotation marks.
        var quoted: String { "\"\(replacing("\"", with: "\\\""))\"" }
    }
#endif
