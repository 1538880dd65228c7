#if Macros
    package import SwiftSyntax
    package import SwiftSyntaxMacros

    /// `@Guide`: writes nothing, as `@Generable` reads it; where that does not happen, it is an error.
    package enum GuideMacro: PeerMacro {
        package static func expansion(
            of node: AttributeSyntax, providingPeersOf declaration: some DeclSyntaxProtocol,
            in context: some MacroExpansionContext
        ) throws -> [DeclSyntax] {
            guard let variable = declaration.as(VariableDeclSyntax.self), variable.isStored,
                !(variable.isConstant && variable.bindings.contains { $0.initializer != nil })
            else {
                context.report(.guideElsewhere, at: node)
                return []
            }
            let isGenerable = context.lexicalContext.first?.as(StructDeclSyntax.self)?.attributes.contains {
                $0.isNamed("Generable")
            }
            if isGenerable != true { context.report(.guideElsewhere, at: node) }
            return []
        }
    }
#endif
