#if Macros
    internal import SwiftSyntax

    /// A stored property that a model generates.
    struct GenerableProperty {
        /// The name as it stands in the program.
        let name: String
        /// The name in JSON, as a literal.
        let key: String
        /// The property's own access, with a space behind it.
        let access: String
        let type: String
        /// The type without `?`.
        let wrappedType: String
        let isOptional: Bool
        /// Whether it is the name that the session gives the value, which no model writes.
        let isIdentity: Bool
        let guide: Guide?

        /// The arguments of `@Guide`.
        struct Guide {
            var description: String?
            var guides: [String]
        }

        var schema: String {
            let description = guide?.description.map { ", description: \($0)" } ?? ""
            let guides = guide.map(\.guides).flatMap { $0.isEmpty ? nil : ", guides: [\($0.joined(separator: ", "))]" }
            return """
                EdgeLLM.GenerationSchema.Property(name: \(key)\(description), type: \(type).self\(guides ?? ""))
                """
        }

        var partialType: String { "\(wrappedType).PartiallyGenerated" }
    }

    /// Finds the stored properties of a structure, and what is wrong with those that cannot be generated.
    struct PropertyReader {
        private(set) var properties: [GenerableProperty] = []
        private(set) var problems: [Problem] = []

        mutating func read(_ member: DeclSyntax) {
            if let conditional = member.as(IfConfigDeclSyntax.self) {
                // What the conditions say is not known here.
                let holdsProperty = conditional.clauses.contains { clause in
                    guard case .decls(let members)? = clause.elements else { return false }
                    return members.contains { $0.decl.as(VariableDeclSyntax.self)?.isStored == true }
                }
                if holdsProperty { fail(.conditional, at: member) }
            }
            guard let variable = member.as(VariableDeclSyntax.self), variable.isStored else { return }
            let guide = guide(of: variable)
            // `var a, b: Int` gives both the type.
            var type: TypeSyntax?
            var found: [(PatternBindingSyntax, TypeSyntax?)] = []
            for binding in variable.bindings.reversed() {
                if let annotation = binding.typeAnnotation {
                    type = annotation.type
                } else if binding.initializer != nil {
                    type = nil
                }
                if !binding.isComputed, !(variable.isConstant && binding.initializer != nil) {
                    found.append((binding, type))
                }
            }
            for (binding, type) in found.reversed() { read(binding, type, guide, access: variable.propertyAccess) }
        }

        private mutating func read(
            _ binding: PatternBindingSyntax, _ type: TypeSyntax?, _ guide: GenerableProperty.Guide?, access: String
        ) {
            guard let name = binding.pattern.as(IdentifierPatternSyntax.self)?.identifier else {
                return fail(.pattern, at: binding)
            }
            guard let type else { return fail(.noType(name.plainName), at: binding) }
            let (wrapped, isOptional) = type.unwrapped
            if let reason = wrapped.whyNotGenerable { return fail(.type(reason), at: type) }
            let isIdentity = wrapped.isName("GenerationID")
            if isIdentity, isOptional || guide != nil || properties.contains(where: \.isIdentity) {
                return fail(.identity, at: binding)
            }
            properties.append(
                GenerableProperty(
                    name: name.text, key: name.plainName.quoted, access: access, type: type.trimmedDescription,
                    wrappedType: wrapped.trimmedDescription, isOptional: isOptional, isIdentity: isIdentity,
                    guide: guide))
        }

        private mutating func guide(of variable: VariableDeclSyntax) -> GenerableProperty.Guide? {
            // As an array: a filtered list of syntax would be a tree of its own, without places.
            let attributes = Array(variable.attributes).filter { $0.isNamed("Guide") }
            guard case .attribute(let attribute)? = attributes.first else { return nil }
            if attributes.count > 1 { fail(.guideTwice, at: attributes[1]) }
            var guide = GenerableProperty.Guide(guides: [])
            if case .argumentList(let arguments)? = attribute.arguments {
                for argument in arguments {
                    if argument.label?.text == "description" {
                        guide.description = argument.expression.trimmedDescription
                    } else {
                        guide.guides.append(argument.expression.trimmedDescription)
                    }
                }
            }
            return guide
        }

        private mutating func fail(_ diagnosis: Diagnosis, at node: some SyntaxProtocol) {
            problems.append(Problem(diagnosis, at: node))
        }
    }

    extension VariableDeclSyntax {
        /// Whether it is a property of each value that takes memory and is set when the value is made. A constant with a value is
        /// stored too, though no model can generate it.
        var isStored: Bool {
            let excluded: [Keyword] = [.static, .class, .lazy]
            let isOfValues = !modifiers.contains { modifier in
                excluded.contains { modifier.name.tokenKind == .keyword($0) }
            }
            return isOfValues && bindings.contains { !$0.isComputed }
        }

        var isConstant: Bool { bindingSpecifier.tokenKind == .keyword(.let) }

        var propertyAccess: String {
            let levels: [Keyword] = [.public, .package, .internal, .fileprivate, .private]
            let own = modifiers.first { modifier in
                modifier.detail == nil && levels.contains { modifier.name.tokenKind == .keyword($0) }
            }
            return own.map { $0.name.text + " " } ?? ""
        }
    }

    extension PatternBindingSyntax {
        /// Whether there is code in place of storage; observers are no such code.
        var isComputed: Bool {
            switch accessorBlock?.accessors {
            case nil: false
            case .getter?: true
            case .accessors(let accessors)?:
                !accessors.allSatisfy {
                    [.keyword(.willSet), .keyword(.didSet)].contains($0.accessorSpecifier.tokenKind)
                }
            }
        }
    }

    extension AttributeListSyntax.Element {
        /// Whether it is the attribute of this name, with or without the module before it.
        func isNamed(_ name: String) -> Bool {
            guard case .attribute(let attribute) = self else { return false }
            return attribute.attributeName.isName(name)
        }
    }

    extension TypeSyntax {
        func isName(_ name: String) -> Bool {
            if let type = self.as(IdentifierTypeSyntax.self) { return type.name.text == name }
            guard let type = self.as(MemberTypeSyntax.self), type.name.text == name else { return false }
            return type.baseType.as(IdentifierTypeSyntax.self)?.name.text == "EdgeLLM"
        }

        /// The type without `?`, and whether it had one.
        var unwrapped: (TypeSyntax, isOptional: Bool) {
            if let type = self.as(OptionalTypeSyntax.self) { return (type.wrappedType.unwrapped.0, true) }
            let isLongForm =
                self.as(IdentifierTypeSyntax.self)?.name.text == "Optional"
                || self.as(MemberTypeSyntax.self).map {
                    $0.name.text == "Optional" && $0.baseType.trimmedDescription == "Swift"
                } == true
            let arguments =
                self.as(IdentifierTypeSyntax.self)?.genericArgumentClause
                ?? self.as(MemberTypeSyntax.self)?.genericArgumentClause
            if isLongForm, let first = arguments?.arguments.first, let inner = first.argument.as(TypeSyntax.self) {
                return (inner.unwrapped.0, true)
            }
            return (self, false)
        }

        /// What is wrong with a type that no model can generate; nil where only the compiler can tell.
        var whyNotGenerable: String? {
            if self.is(DictionaryTypeSyntax.self) {
                return "a dictionary cannot be generated; use an array of a @Generable type with a property for the key"
            }
            if let tuple = self.as(TupleTypeSyntax.self) {
                if tuple.elements.count == 1, let only = tuple.elements.first { return only.type.whyNotGenerable }
                return "a tuple cannot be generated; use a @Generable structure"
            }
            if self.is(FunctionTypeSyntax.self) { return "a function cannot be generated" }
            if self.is(SomeOrAnyTypeSyntax.self) { return "a model has to know which type it generates; name one" }
            if self.is(ImplicitlyUnwrappedOptionalTypeSyntax.self) { return "write ? in place of !" }
            if let array = self.as(ArrayTypeSyntax.self) { return array.element.whyNotGenerable }
            return nil
        }
    }
#endif
