#if Macros
    package import SwiftDiagnostics
    internal import SwiftSyntax
    internal import SwiftSyntaxMacros

    /// What is wrong with a declaration.
    package enum Diagnosis: DiagnosticMessage {
        case notAValue
        case hidden
        case noType(String)
        case type(String)
        case pattern
        case conditional
        case identity
        case noCases
        case caseTwice
        case guideElsewhere
        case guideTwice

        package var message: String {
            switch self {
            case .notAValue: "@Generable is for structures and enumerations"
            case .hidden:
                "write fileprivate in place of private: @Generable extends the type from outside of what it is in"
            case .noType(let name):
                "write the type of \(name): @Generable sees only the text of the program, and no types that are inferred"
            case .type(let reason): reason
            case .pattern: "a property that is generated needs a declaration of its own"
            case .conditional: "@Generable cannot tell whether this is compiled; move it out of #if"
            case .identity:
                "a type has at most one property of type GenerationID, without ? and @Guide: no model writes it"
            case .noCases: "there is no case to generate"
            case .caseTwice: "two cases have this name, and only the name tells them apart"
            case .guideElsewhere: "@Guide is for stored properties without a fixed value in a @Generable structure"
            case .guideTwice: "write all guides of a property into one @Guide"
            }
        }

        package var severity: DiagnosticSeverity { .error }

        package var diagnosticID: MessageID {
            MessageID(domain: "EdgeMacros", id: String("\(self)".prefix { $0 != "(" }))
        }
    }

    extension MacroExpansionContext {
        func report(_ diagnosis: Diagnosis, at node: some SyntaxProtocol) {
            diagnose(Diagnostic(node: node, message: diagnosis))
        }
    }
#endif
