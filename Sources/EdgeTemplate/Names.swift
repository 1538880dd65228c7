/// Names that the language itself knows; each has its place in this list as its number in every template.
enum Keyword: Int, CaseIterable {
    case `if`, `else`, elif, endif, `for`, endfor, `in`, `is`, not, and, or, set, endset, macro, endmacro, call, endcall
    case filter, endfilter, with, endwith, generation, endgeneration, `break`, `continue`, recursive, raw, endraw
    case `true`, `false`, none, True, False, None
    case loop, caller, varargs, kwargs
    case namespace, range, dict, raise_exception, strftime_now
}

/// The names that occur in a template, each with a number.
struct NameTable: Sendable {
    private(set) var strings: [String] = []
    private(set) var texts: [Text] = []
    private var numbers: [String: Int] = [:]

    init() {
        for keyword in Keyword.allCases { _ = number("\(keyword)") }
    }

    mutating func number(_ name: String) -> Int {
        if let known = numbers[name] { return known }
        numbers[name] = strings.count
        texts.append(Text(trusted: name))
        strings.append(name)
        return strings.count - 1
    }

    func known(_ name: String) -> Int? { numbers[name] }

    var count: Int { strings.count }
}
