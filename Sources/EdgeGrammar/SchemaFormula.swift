/// The types of JSON values; true and false are two, so that each value of them is decided alone.
struct ValueKinds: OptionSet, Hashable, Sendable {
    var rawValue: UInt8
    static let null = ValueKinds(rawValue: 1)
    static let `true` = ValueKinds(rawValue: 2)
    static let `false` = ValueKinds(rawValue: 4)
    static let number = ValueKinds(rawValue: 8)
    static let string = ValueKinds(rawValue: 16)
    static let array = ValueKinds(rawValue: 32)
    static let object = ValueKinds(rawValue: 64)
    static let each: [ValueKinds] = [.null, .true, .false, .number, .string, .array, .object]
}

/// A reference to a schema, or to the negation of one.
struct SchemaUse: Hashable, Comparable, Sendable {
    var schema: Int32
    var isPositive = true
    static func < (left: SchemaUse, right: SchemaUse) -> Bool {
        (left.schema, left.isPositive ? 0 : 1) < (right.schema, right.isPositive ? 0 : 1)
    }
    var negation: SchemaUse { SchemaUse(schema: schema, isPositive: !isPositive) }

    /// Schema 0 is `true`.
    static let anything = SchemaUse(schema: 0)
    static let nothing = SchemaUse(schema: 0, isPositive: false)
}

/// What a schema says, over conditions that each concern one type and let the others pass.
indirect enum Formula: Sendable {
    case constant(Bool)
    case kind(ValueKinds)
    /// A type that the schema means without saying: it narrows the schema, and is dropped where the schema is negated.
    case hint(ValueKinds)
    case text(Int32)
    case number(Int32)
    case array(Int32)
    case object(Int32)
    case schema(Int32)
    case all([Formula])
    case any([Formula])
    case not(Formula)
    /// A condition turned round within its type: other types still pass, unlike with `not`.
    case opposite(Formula)
}

enum ArrayAtom: Hashable, Sendable {
    /// The first items each by their own schema, the others by `rest`.
    case items(prefix: [SchemaUse], rest: SchemaUse)
    case atLeast(SchemaUse, Int)
    case minimum(Int)
}

/// Which keys a condition concerns: a formula over string conditions.
typealias KeySet = Condition

enum ObjectAtom: Hashable, Sendable {
    case required(ByteString)
    /// All members with such keys have values of the schema.
    case every(KeySet, SchemaUse)
    case minimum(Int)
}

enum TextAtom: Hashable, Sendable {
    case automaton(ScalarAutomaton)
    case words(Set<ByteString>)
}
