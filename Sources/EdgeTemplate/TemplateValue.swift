/// What a template is given: the values of JSON, with the order of keys kept.
package enum TemplateValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case int(Int)
    case double(Double)
    /// Text from outside: a user, a document, a tool. It comes out of a rendering as untrusted.
    case string(String)
    /// Text that the program itself chose, such as a BOS token or a role name. It counts as written in the template.
    case literal(String)
    /// Text of both kinds, such as a call of an earlier turn whose marks are the program's and whose arguments are not; or text of
    /// which the output is to say where it came from.
    case mixed([RenderedSegment])
    case list([TemplateValue])
    case dict(Members)

    /// The members of an object, in order.
    package struct Members: Sendable, Equatable, ExpressibleByDictionaryLiteral {
        package private(set) var keys: [String] = []
        package private(set) var values: [TemplateValue] = []
        private var places: [String: Int] = [:]

        package init() {}

        package init(dictionaryLiteral elements: (String, TemplateValue)...) {
            for (key, value) in elements { self[key] = value }
        }

        package var count: Int { keys.count }

        /// The value of a key. A new key goes to the end; nil removes one.
        package subscript(key: String) -> TemplateValue? {
            get { places[key].map { values[$0] } }
            set {
                switch (places[key], newValue) {
                case (let place?, let value?): values[place] = value
                case (nil, let value?):
                    places[key] = keys.count
                    keys.append(key)
                    values.append(value)
                case (let place?, nil):
                    keys.remove(at: place)
                    values.remove(at: place)
                    places.removeAll()
                    for (index, key) in keys.enumerated() { places[key] = index }
                case (nil, nil): break
                }
            }
        }

        package static func == (left: Members, right: Members) -> Bool {
            left.keys == right.keys && left.values == right.values
        }
    }
}

extension TemplateValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByFloatLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int) { self = .int(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(floatLiteral value: Double) { self = .double(value) }
    package init(arrayLiteral elements: TemplateValue...) { self = .list(elements) }
    package init(dictionaryLiteral elements: (String, TemplateValue)...) {
        var members = Members()
        for (key, value) in elements { members[key] = value }
        self = .dict(members)
    }
}

extension TemplateValue {
    /// The member of an object, or nil.
    package subscript(key: String) -> TemplateValue? {
        guard case .dict(let members) = self else { return nil }
        return members[key]
    }

    /// The text of a string, or nil.
    package var text: String? {
        switch self {
        case .string(let text), .literal(let text): text
        case .mixed(let segments): segments.map(\.text).joined()
        default: nil
        }
    }
}
