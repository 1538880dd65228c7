#if Macros
    internal import SwiftCompilerPlugin
    internal import SwiftSyntaxMacros

    @main struct EdgeMacrosPlugin: CompilerPlugin {
        let providingMacros: [any Macro.Type] = [GenerableMacro.self, GuideMacro.self]
    }
#else
    // A package cannot leave a target out, so without the trait this is a program that does nothing.
    @main enum EdgeMacrosPlugin {
        static func main() {}
    }
#endif
