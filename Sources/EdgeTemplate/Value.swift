/// A value while rendering. Lists, dicts and the like live in the renderer's heap, and a value names their place there:
/// no chain of references can then be long enough, or circular, to do harm.
enum Value: Sendable {
    case undefined(Missing)
    case null
    case bool(Bool)
    case int(Int)
    case double(Double)
    case string(Text)
    /// A string that counts as escaped for HTML.
    case safe(Text)
    case list(Int)
    case tuple(Int)
    case dict(Int)
    case namespace(Int)
    case macro(Int)
    case loop(Int)
    /// A method taken from its receiver and not yet called.
    case method(Int)
    case function(Keyword)

    /// The text of a string, or nil.
    var text: Text? {
        switch self {
        case .string(let text), .safe(let text): text
        default: nil
        }
    }

    var isUndefined: Bool {
        if case .undefined = self { true } else { false }
    }

    var kind: Kind {
        switch self {
        case .undefined: .undefined
        case .null: .null
        case .bool: .bool
        case .int: .int
        case .double: .double
        case .string, .safe: .string
        case .list: .list
        case .tuple: .tuple
        case .dict: .dict
        case .namespace: .namespace
        case .macro: .macro
        case .loop: .loop
        case .method, .function: .function
        }
    }

    /// The integer that a number or a truth value is, if it is one.
    var integer: Int? {
        switch self {
        case .int(let value): value
        case .bool(let value): value ? 1 : 0
        default: nil
        }
    }

    /// The number that a value is, as a double.
    var number: Double? {
        switch self {
        case .int(let value): Double(value)
        case .bool(let value): value ? 1 : 0
        case .double(let value): value
        default: nil
        }
    }
}

/// The type of a value, by the name that Python gives it.
enum Kind: UInt8, Sendable {
    case undefined, null, bool, int, double, string, list, tuple, dict, namespace, macro, loop, function

    var name: String {
        switch self {
        case .undefined: "Undefined"
        case .null: "NoneType"
        case .bool: "bool"
        case .int: "int"
        case .double: "float"
        case .string: "str"
        case .list: "list"
        case .tuple: "tuple"
        case .dict: "dict"
        case .namespace: "Namespace"
        case .macro: "Macro"
        case .loop: "LoopContext"
        case .function: "builtin_function_or_method"
        }
    }
}

/// What was looked for when a value came out undefined.
struct Missing: Sendable {
    /// The name, or -1 for an element that has none.
    var name: Int32 = -1
    /// The type of what lacks it; nil for a variable.
    var owner: Kind?
}

/// A value as a key of a dict: equal numbers are one key whatever their type.
enum Key: Sendable, Hashable {
    case null
    case undefined
    case int(Int)
    case double(Double)
    case string(Text)
    case tuple([Key])
    case other(Kind, Int)
}

/// A dict: its entries in order, and an index once there are many.
struct OrderedMap: Sendable {
    struct Entry: Sendable {
        var key: Key
        var name: Value
        var value: Value
    }

    private(set) var entries: [Entry] = []
    private var places: [Key: Int] = [:]
    private static let scanned = 8

    init() {}

    var count: Int { entries.count }

    func place(of key: Key) -> Int? {
        if entries.count > OrderedMap.scanned { return places[key] }
        return entries.firstIndex { $0.key == key }
    }

    func value(of key: Key) -> Value? { place(of: key).map { entries[$0].value } }

    /// The value of a text key.
    func value(of text: Text) -> Value? {
        if entries.count > OrderedMap.scanned { return places[.string(text)].map { entries[$0].value } }
        for entry in entries {
            if case .string(let key) = entry.key, key == text { return entry.value }
        }
        return nil
    }

    mutating func set(_ key: Key, _ name: Value, _ value: Value) {
        if let place = place(of: key) {
            entries[place].value = value
            return
        }
        entries.append(Entry(key: key, name: name, value: value))
        if entries.count == OrderedMap.scanned + 1 {
            index()
        } else if entries.count > OrderedMap.scanned {
            places[key] = entries.count - 1
        }
    }

    mutating func remove(at place: Int) -> Value {
        let entry = entries.remove(at: place)
        index()
        return entry.value
    }

    private mutating func index() {
        places.removeAll(keepingCapacity: true)
        guard entries.count > OrderedMap.scanned else { return }
        for (place, entry) in entries.enumerated() { places[entry.key] = place }
    }
}
