#if Macros
    /// Makes a structure or an enumeration `Generable`; needs the package trait `Macros`.
    ///
    /// ```swift
    /// @Generable(description: "A fault of the car")
    /// struct Fault {
    ///     @Guide(description: "What is broken") var part: String
    ///     @Guide(.range(1...5)) var severity: Int
    ///     var note: String?
    /// }
    /// ```
    ///
    /// Of a structure, the stored properties are generated in the order they are written; their types must be, and one written with
    /// `?` may be left out. Constants with a value, computed, lazy and static properties are not generated, and a property of type
    /// `GenerationID` is the value's name. `PartiallyGenerated` has the same properties, all optional, and is `Identifiable` unless a
    /// property of another type is called `id`.
    ///
    /// Of an enumeration one case is generated: as a text — its raw value if that is a `String`, else its name — or, where a case has
    /// a payload, as `Codable` writes it: `{"walk": {"hours": 2}}`, with `_0` for a value without a label.
    ///
    /// Not for types inside of functions: the compiler does not let macros extend them.
    ///
    /// - Parameter description: what the model is told about the type.
    @attached(extension, conformances: Generable, names: named(init(_:)), named(generatedContent))
    @attached(member, names: named(generationSchema), named(PartiallyGenerated))
    public macro Generable(description: String? = nil) =
        #externalMacro(module: "EdgeMacros", type: "GenerableMacro")

    /// Says what the values of a property in a `@Generable` structure may be. What the guides say is enforced.
    ///
    /// - Parameters:
    ///   - description: what the model is told about the property.
    ///   - guides: see `GenerationGuide`.
    @attached(peer)
    public macro Guide<T>(description: String? = nil, _ guides: GenerationGuide<T>...) =
        #externalMacro(module: "EdgeMacros", type: "GuideMacro")

    /// Says which texts a property in a `@Generable` structure may have: those that the expression matches as a whole.
    ///
    /// - Parameters:
    ///   - description: what the model is told about the property.
    ///   - guides: the expression; see `GenerationGuide.pattern(_:)` for what cannot be enforced.
    @attached(peer)
    public macro Guide<RegexOutput>(description: String? = nil, _ guides: Regex<RegexOutput>) =
        #externalMacro(module: "EdgeMacros", type: "GuideMacro")

    /// Says what the model is told about a property in a `@Generable` structure.
    ///
    /// - Parameter description: what it is told.
    @attached(peer)
    public macro Guide(description: String) = #externalMacro(module: "EdgeMacros", type: "GuideMacro")
#endif
