#if Macros
    public import EdgeLLM

    /// Types by the macros, with all that they take.
    public enum Made {
        @Generable(description: "A visit to the workshop")
        struct Visit: Equatable {
            @Generable(description: "How soon") enum Urgency { case none, soon, `default` }

            @Generable struct Part: Equatable {
                @Guide(description: "As the catalogue calls it", .anyOf(["pump", "belt", "hose"])) let name: String
                @Guide(.range(1...9)) var count: Int
            }

            @Guide(description: "What was found", /[a-z]{3,9}/) var finding: String
            var urgency: Urgency
            @Guide(description: "What is needed", .minimumCount(1), .maximumCount(2)) var parts: [Part]
            @Guide(.count(2), .element(.range(0...1))) var checks: [Int]
            @Guide(.maximum(9)) var hours: Optional<Double>
            var first, second: Bool
            var `class`: Int? { didSet { changes += class_(`class`) } }

            var isUrgent: Bool { urgency == .soon }
            static let workshop = "Ulm"
            let currency = "EUR"

            private func class_(_ value: Int?) -> Int { value ?? 0 }
            private var changes: Int {
                get { 0 }
                set {}
            }
        }

        @Generable enum Colour: String { case red = "rouge", blue }

        @Generable indirect enum Way: Equatable {
            case stay
            case walk(hours: Int, note: String?)
            case both(Way, last: Way)
        }

        @Generable struct Row: Identifiable {
            var id: GenerationID
            @Guide(/[a-z]{1,8}/) var label: String
        }

        @Generable enum Move {
            case wait
            case turn(Visit.Urgency, to: [Bool])
        }

        @Generable struct Moves {
            @Guide(.count(4)) var moves: [Move]
        }

        @Generable struct Numbered {
            var id: Int
        }

        @Generable struct Nothing {}

        @Generable struct Page<Item: Generable> {
            var items: [Item]
        }

        @Generable struct Chain {
            var label: String
            @Guide(.maximumCount(2)) var rest: [Chain]
        }

        /// A public type, whose members have to be public too.
        @Generable public struct Open: Sendable {
            /// A public property.
            public var shown: String
            var hidden: Int?
        }
    }

    /// The same by hand.
    enum Written {
        struct Visit: Generable {
            enum Urgency: String, CaseIterable, Generable {
                case none, soon, `default`

                static var generationSchema: GenerationSchema {
                    GenerationSchema(type: Self.self, description: "How soon", anyOf: allCases.map(\.rawValue))
                }
            }

            struct Part: Generable {
                let name: String
                var count: Int

                static var generationSchema: GenerationSchema {
                    GenerationSchema(
                        type: Self.self,
                        properties: [
                            .init(
                                name: "name", description: "As the catalogue calls it", type: String.self,
                                guides: [.anyOf(["pump", "belt", "hose"])]),
                            .init(name: "count", type: Int.self, guides: [.range(1...9)]),
                        ])
                }
                init(_ content: GeneratedContent) throws {
                    name = try content.value(forProperty: "name")
                    count = try content.value(forProperty: "count")
                }
                var generatedContent: GeneratedContent { GeneratedContent(properties: ["name": name, "count": count]) }
            }

            var finding: String
            var urgency: Urgency
            var parts: [Part]
            var checks: [Int]
            var hours: Double?
            var first: Bool
            var second: Bool
            var `class`: Int?

            static var generationSchema: GenerationSchema {
                GenerationSchema(
                    type: Self.self, description: "A visit to the workshop",
                    properties: [
                        .init(
                            name: "finding", description: "What was found", type: String.self,
                            guides: [.pattern("[a-z]{3,9}")]),
                        .init(name: "urgency", type: Urgency.self),
                        .init(
                            name: "parts", description: "What is needed", type: [Part].self,
                            guides: [.minimumCount(1), .maximumCount(2)]),
                        .init(name: "checks", type: [Int].self, guides: [.count(2), .element(.range(0...1))]),
                        .init(name: "hours", type: Double?.self, guides: [.maximum(9)]),
                        .init(name: "first", type: Bool.self), .init(name: "second", type: Bool.self),
                        .init(name: "class", type: Int?.self),
                    ])
            }
            init(_ content: GeneratedContent) throws {
                finding = try content.value(forProperty: "finding")
                urgency = try content.value(forProperty: "urgency")
                parts = try content.value(forProperty: "parts")
                checks = try content.value(forProperty: "checks")
                hours = try content.value(forProperty: "hours")
                first = try content.value(forProperty: "first")
                second = try content.value(forProperty: "second")
                `class` = try content.value(forProperty: "class")
            }
            var generatedContent: GeneratedContent {
                var properties: [(String, any ConvertibleToGeneratedContent)] = [
                    ("finding", finding), ("urgency", urgency), ("parts", parts), ("checks", checks),
                ]
                if let hours { properties.append(("hours", hours)) }
                properties += [("first", first), ("second", second)]
                if let `class` { properties.append(("class", `class`)) }
                return GeneratedContent(properties: properties, uniquingKeysWith: { $1 })
            }
        }
    }
#endif
