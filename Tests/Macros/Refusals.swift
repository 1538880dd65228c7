// What the macros refuse, as the compiler says it: `check` compiles this file with `-verify`.
import EdgeLLM

// expected-error@+1 {{@Generable is for structures and enumerations}}
@Generable class Car { var name = "" }

// expected-error@+1 {{@Generable is for structures and enumerations}}
@Generable actor Garage {}

@Generable struct Untyped {
    // expected-error@+1 {{write the type of count: @Generable sees only the text of the program, and no types that are inferred}}
    var count = 3
}

@Generable struct Shapes {
    // expected-error@+1 {{a dictionary cannot be generated; use an array of a @Generable type with a property for the key}}
    var table: [String: Int]
    // expected-error@+1 {{a dictionary cannot be generated; use an array of a @Generable type with a property for the key}}
    var tables: [[String: Int]]
    // expected-error@+1 {{a tuple cannot be generated; use a @Generable structure}}
    var pair: (Int, Int)
    // expected-error@+1 {{a function cannot be generated}}
    var action: () -> Void
    // expected-error@+1 {{a model has to know which type it generates; name one}}
    var open: any Generable
    // expected-error@+1 {{write ? in place of !}}
    var forced: Int!
    // expected-error@+1 {{a property that is generated needs a declaration of its own}}
    var (left, right): (Int, Int)
}

@Generable struct Conditional {
    // expected-error@+1 {{@Generable cannot tell whether this is compiled; move it out of #if}}
    #if DEBUG
        var extra: Int
    #endif
    var name: String
}

@Generable struct Named {
    var id: GenerationID
    // expected-error@+1 {{a type has at most one property of type GenerationID, without ? and @Guide: no model writes it}}
    var other: EdgeLLM.GenerationID
}

// expected-error@+1 {{there is no case to generate}}
@Generable enum Empty {}

@Generable enum Twice {
    case go(metres: Int)
    // expected-error@+1 {{two cases have this name, and only the name tells them apart}}
    case go(feet: Int)
}

@Generable struct Guides {
    // expected-error@+1 {{@Guide is for stored properties without a fixed value in a @Generable structure}}
    @Guide(description: "Fixed") let fixed: Int = 3
    // expected-error@+1 {{@Guide is for stored properties without a fixed value in a @Generable structure}}
    @Guide(description: "Computed") var computed: Int { 3 }
    // expected-error@+1 {{write all guides of a property into one @Guide}}
    @Guide(description: "One") @Guide(.range(1...2)) var twice: Int
}

struct Plain {
    // expected-error@+1 {{@Guide is for stored properties without a fixed value in a @Generable structure}}
    @Guide(description: "Unread") var name: String
}

struct Hiding {
    // expected-error@+1 {{write fileprivate in place of private: @Generable extends the type from outside of what it is in}}
    @Generable private struct Inner { var name: String }
}

// And what they take without a word: the compiler would complain here of what it did not expect.
struct Outer {
    fileprivate struct Part { @Generable struct Inner { var name: String? } }

    @Generable fileprivate struct Hidden {
        private var name: String
        lazy var shown = name.uppercased()
        static let shared = 3 as Int?
        let fixed = 3
        var counted: Int { willSet {} }
        var doubled: Int { counted * 2 }
        var parts: [Part.Inner]
        var `where`: Swift.Optional<Int>
    }

    @Generable struct Conforming: Generable, Sendable { var name: String }
}

@Generable private struct Top {
    private var name: String
    var parts: [Top]?
    @Guide(.range(0.5...2)) var `two words`: Double
    @Guide(description: "Fixed", .constant("a")) var kind: String?
    var start: Int = 3
}
