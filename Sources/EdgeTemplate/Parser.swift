/// Reads the tokens of a template into statements.
struct Parser {
    let source: Source
    let limits: TemplateLimits
    private let tokens: [Token]
    private(set) var names: NameTable
    private var index = 0
    private var depth = 0
    private var loopDepth = 0
    /// For the macro being read: which of the names that gather further arguments it mentions.
    private var mentioned: Set<Int> = []

    init(_ source: Source, limits: TemplateLimits) throws(TemplateError) {
        var lexer = Lexer(source)
        try lexer.run()
        self.source = source
        self.limits = limits
        tokens = lexer.tokens
        names = lexer.names
    }

    mutating func template() throws(TemplateError) -> [Statement] {
        let body = try statements(until: [])
        guard case .end = current.kind else { throw unexpected() }
        return body
    }
}

// MARK: - Tokens

extension Parser {
    private var current: Token { tokens[min(index, tokens.count - 1)] }
    private var next: Token { tokens[min(index + 1, tokens.count - 1)] }

    private mutating func advance() { index = min(index + 1, tokens.count - 1) }

    private func fail(_ message: String, _ code: TemplateError.Code = .syntax) -> TemplateError {
        source.error(code, message, at: current.at)
    }

    private func describe(_ kind: Token.Kind) -> String {
        switch kind {
        case .data: "text"
        case .variableBegin: "begin of print statement"
        case .variableEnd: "end of print statement"
        case .blockBegin: "begin of statement block"
        case .blockEnd: "end of statement block"
        case .name(let name): "'\(names.strings[name])'"
        case .string: "string"
        case .integer: "integer"
        case .float: "float"
        case .symbol(let symbol): "'\(symbol.rawValue)'"
        case .end: "end of template"
        }
    }

    private func unexpected(_ wanted: String? = nil) -> TemplateError {
        let found = describe(current.kind)
        return fail(wanted.map { "expected \($0), got \(found)" } ?? "unexpected \(found)")
    }

    private func sees(_ symbol: Symbol) -> Bool { current.kind == .symbol(symbol) }

    private func sees(_ keyword: Keyword) -> Bool { current.kind == .name(keyword.rawValue) }

    private mutating func skip(_ symbol: Symbol) -> Bool {
        guard sees(symbol) else { return false }
        advance()
        return true
    }

    private mutating func skip(_ keyword: Keyword) -> Bool {
        guard sees(keyword) else { return false }
        advance()
        return true
    }

    private mutating func expect(_ symbol: Symbol) throws(TemplateError) {
        guard skip(symbol) else { throw unexpected("'\(symbol.rawValue)'") }
    }

    private mutating func expect(_ keyword: Keyword) throws(TemplateError) {
        guard skip(keyword) else { throw unexpected("'\(keyword)'") }
    }

    private mutating func expectBlockEnd() throws(TemplateError) {
        _ = skip(.colon)
        guard case .blockEnd = current.kind else { throw unexpected("end of statement block") }
        advance()
    }

    private mutating func name() throws(TemplateError) -> Int {
        guard case .name(let name) = current.kind else { throw unexpected("a name") }
        advance()
        return name
    }

    private mutating func enter() throws(TemplateError) {
        depth += 1
        if depth > limits.syntaxDepth { throw fail("the template is nested too deep", .tooDeep) }
    }
}

// MARK: - Statements

extension Parser {
    /// Statements up to a tag that begins with one of the words given, which is left with its first word current.
    private mutating func statements(until ends: Set<Keyword>) throws(TemplateError) -> [Statement] {
        try enter()
        defer { depth -= 1 }
        var body: [Statement] = []
        while true {
            let at = current.at
            switch current.kind {
            case .data(let text):
                body.append(.data(text))
                advance()
            case .variableBegin:
                advance()
                body.append(.output(try tuple(), at: at))
                guard case .variableEnd = current.kind else { throw unexpected("end of print statement") }
                advance()
            case .blockBegin:
                advance()
                guard case .name(let word) = current.kind else { throw unexpected("a tag name") }
                if let keyword = keyword(word), ends.contains(keyword) { return body }
                body.append(try statement(word, at: at))
            case .end:
                guard ends.isEmpty else {
                    let wanted = ends.map { "'\($0)'" }.sorted().joined(separator: " or ")
                    throw fail("unexpected end of template, looking for \(wanted)")
                }
                return body
            default: throw unexpected()
            }
        }
    }

    private func keyword(_ name: Int) -> Keyword? { Keyword(rawValue: name) }

    private mutating func statement(_ word: Int, at: Int) throws(TemplateError) -> Statement {
        let keyword = keyword(word)
        switch keyword {
        case .if: return try branch(at: at)
        case .for: return try loop(at: at)
        case .set: return try set(at: at)
        case .macro: return try macro()
        case .call: return try call(at: at)
        case .filter: return try filterBlock(at: at)
        case .with: return try with(at: at)
        case .generation:
            advance()
            try expectBlockEnd()
            return .scope([], try body(.endgeneration), at: at)
        case .break, .continue:
            guard loopDepth > 0 else { throw fail("'\(names.strings[word])' outside of a loop") }
            advance()
            try expectBlockEnd()
            return keyword == .break ? .leaveLoop : .nextItem
        default:
            let known = ["include", "import", "from", "extends", "block", "autoescape", "do", "trans", "debug"]
            let name = names.strings[word]
            if known.contains(name) { throw fail("the statement '\(name)' is not supported", .unsupported) }
            throw fail("Encountered unknown tag '\(name)'.")
        }
    }

    /// A body and the tag that ends it.
    private mutating func body(_ end: Keyword) throws(TemplateError) -> [Statement] {
        let body = try statements(until: [end])
        advance()
        if end == .endmacro || end == .endcall, case .name = current.kind { advance() }
        try expectBlockEnd()
        return body
    }

    private mutating func branch(at: Int) throws(TemplateError) -> Statement {
        var branches: [(condition: Expression, body: [Statement])] = []
        repeat {
            advance()
            let condition = try tuple()
            try expectBlockEnd()
            branches.append((condition, try statements(until: [.elif, .else, .endif])))
        } while sees(.elif)
        var otherwise: [Statement] = []
        if skip(.else) {
            try expectBlockEnd()
            otherwise = try statements(until: [.endif])
        }
        advance()
        try expectBlockEnd()
        return .branch(branches, otherwise: otherwise, at: at)
    }

    private mutating func loop(at: Int) throws(TemplateError) -> Statement {
        advance()
        let target = try target(allowsAttribute: false)
        try expect(.in)
        let items = try tuple(allowsConditional: false)
        let condition = skip(.if) ? try expression() : nil
        if sees(.recursive) { throw fail("recursive loops are not supported", .unsupported) }
        try expectBlockEnd()
        loopDepth += 1
        let body = try statements(until: [.endfor, .else])
        loopDepth -= 1
        var otherwise: [Statement] = []
        if skip(.else) {
            try expectBlockEnd()
            otherwise = try statements(until: [.endfor])
        }
        advance()
        try expectBlockEnd()
        return .loop(
            Loop(target: target, items: items, condition: condition, body: body, otherwise: otherwise, at: at))
    }

    /// A name, the attribute of a name, or several of them.
    private mutating func target(allowsAttribute: Bool) throws(TemplateError) -> Target {
        try enter()
        defer { depth -= 1 }
        var targets: [Target] = []
        var isTuple = false
        repeat {
            if !targets.isEmpty {
                isTuple = true
                if case .name(let word) = current.kind, word != Keyword.in.rawValue {
                } else if !sees(.leftParenthesis) {
                    break
                }
            }
            if skip(.leftParenthesis) {
                targets.append(try target(allowsAttribute: allowsAttribute))
                try expect(.rightParenthesis)
            } else {
                let name = try assignable()
                if allowsAttribute, skip(.dot) {
                    targets.append(.attribute(of: name, try self.name()))
                } else {
                    targets.append(.name(name))
                }
            }
        } while skip(.comma)
        return isTuple ? .tuple(targets) : targets[0]
    }

    private mutating func assignable() throws(TemplateError) -> Int {
        let fixed: Set<Keyword> = [.true, .false, .none, .True, .False, .None]
        if case .name(let name) = current.kind, let keyword = Keyword(rawValue: name), fixed.contains(keyword) {
            throw fail("can't assign to '\(keyword)'")
        }
        return try name()
    }

    private mutating func set(at: Int) throws(TemplateError) -> Statement {
        advance()
        let target = try target(allowsAttribute: true)
        if skip(.assign) {
            let value = try tuple()
            try expectBlockEnd()
            return .set(target, value, at: at)
        }
        let filters = try filters()
        try expectBlockEnd()
        return .setBlock(target, filters, try body(.endset), at: at)
    }

    private mutating func filters() throws(TemplateError) -> [Postfix] {
        var filters: [Postfix] = []
        while skip(.pipe) { filters.append(try filter()) }
        return filters
    }

    private mutating func filterBlock(at: Int) throws(TemplateError) -> Statement {
        advance()
        var filters = [try filter()]
        filters += try self.filters()
        try expectBlockEnd()
        return .filterBlock(filters, try body(.endfilter), at: at)
    }

    private mutating func with(at: Int) throws(TemplateError) -> Statement {
        advance()
        var values: [(target: Target, value: Expression)] = []
        while current.kind != .blockEnd, !sees(.colon) {
            if !values.isEmpty { try expect(.comma) }
            let name = try assignable()
            try expect(.assign)
            values.append((.name(name), try expression()))
        }
        try expectBlockEnd()
        return .scope(values, try body(.endwith), at: at)
    }

    private mutating func parameters() throws(TemplateError) -> [(name: Int, standard: Expression?)] {
        var parameters: [(name: Int, standard: Expression?)] = []
        try expect(.leftParenthesis)
        while !sees(.rightParenthesis) {
            if !parameters.isEmpty { try expect(.comma) }
            let name = try assignable()
            if skip(.assign) {
                parameters.append((name, try expression()))
            } else {
                if parameters.last?.standard != nil { throw fail("non-default argument follows default argument") }
                parameters.append((name, nil))
            }
        }
        advance()
        return parameters
    }

    private mutating func macroBody(
        _ name: Int?, _ parameters: [(name: Int, standard: Expression?)], _ end: Keyword
    ) throws(TemplateError) -> Macro {
        let (outer, outerLoops) = (mentioned, loopDepth)
        mentioned = []
        loopDepth = 0
        let body = try body(end)
        let macro = Macro(
            name: name, parameters: parameters, body: body,
            takesMore: mentioned.contains(Keyword.varargs.rawValue),
            takesMoreNamed: mentioned.contains(Keyword.kwargs.rawValue),
            takesCaller: mentioned.contains(Keyword.caller.rawValue))
        mentioned = outer
        loopDepth = outerLoops
        return macro
    }

    private mutating func macro() throws(TemplateError) -> Statement {
        advance()
        let name = try assignable()
        let parameters = try parameters()
        try expectBlockEnd()
        return .macro(try macroBody(name, parameters, .endmacro))
    }

    private mutating func call(at: Int) throws(TemplateError) -> Statement {
        advance()
        let parameters = sees(.leftParenthesis) ? try parameters() : []
        let called = try unary()
        guard case .postfix(let base, var postfixes) = called, case .call(let arguments)? = postfixes.popLast()?.kind
        else {
            throw fail("expected call")
        }
        try expectBlockEnd()
        let function: Expression = postfixes.isEmpty ? base : .postfix(base, postfixes)
        return .call(try macroBody(nil, parameters, .endcall), function, arguments, at: at)
    }
}

// MARK: - Expressions

extension Parser {
    /// Expressions with commas between them are a tuple.
    private mutating func tuple(
        allowsConditional: Bool = true, inParentheses: Bool = false
    ) throws(TemplateError) -> Expression {
        try enter()
        defer { depth -= 1 }
        var elements: [Expression] = []
        var isTuple = false
        while true {
            if endsTuple { break }
            elements.append(allowsConditional ? try expression() : try binary(0))
            guard skip(.comma) else { break }
            isTuple = true
        }
        if isTuple { return .tuple(elements) }
        if let only = elements.first { return only }
        guard inParentheses else { throw fail("Expected an expression, got \(describe(current.kind))") }
        return .tuple([])
    }

    private var endsTuple: Bool {
        switch current.kind {
        case .variableEnd, .blockEnd, .symbol(.rightParenthesis): true
        default: false
        }
    }

    /// An expression, with `value if condition else value` included.
    private mutating func expression() throws(TemplateError) -> Expression {
        try enter()
        defer { depth -= 1 }
        var value = try binary(0)
        var branches: [(condition: Expression, value: Expression)] = []
        var wrappings = 0
        defer { depth -= wrappings }
        while skip(.if) {
            branches.append((try binary(0), value))
            guard skip(.else) else {
                // Without an else the whole is the value of a further condition, one level deeper.
                wrappings += 1
                try enter()
                value = .conditional(branches, otherwise: nil)
                branches = []
                continue
            }
            value = try binary(0)
        }
        return branches.isEmpty ? value : .conditional(branches, otherwise: value)
    }

    /// The level of an operator in the order of precedence: or, and, not, comparisons, sums, `~`, products, powers.
    private enum Level {
        static let or = 0, and = 1, not = 2, comparison = 3, sum = 4, join = 5, product = 6, power = 7
    }

    /// An expression of operators at a level or above.
    private mutating func binary(_ level: Int) throws(TemplateError) -> Expression {
        try enter()
        defer { depth -= 1 }
        if level <= Level.not, skip(.not) {
            let negated: Expression = .not(try binary(Level.not))
            return try binaryRest(negated, from: Level.not, to: level)
        }
        return try binaryRest(try unary(), from: Level.power, to: level)
    }

    /// The operators that follow an operand, the tightest first.
    private mutating func binaryRest(
        _ first: Expression, from highest: Int, to lowest: Int
    ) throws(TemplateError) -> Expression {
        var value = first
        var level = highest
        while level >= lowest {
            switch level {
            case Level.power: value = try arithmetic(value, level) { $0 == .doubleStar ? .power : nil }
            case Level.product:
                value = try arithmetic(value, level) {
                    switch $0 {
                    case .star: .multiply
                    case .slash: .divide
                    case .doubleSlash: .floorDivide
                    case .percent: .remainder
                    default: nil
                    }
                }
            case Level.join:
                var parts = [value]
                while skip(.tilde) { parts.append(try binary(level + 1)) }
                if parts.count > 1 { value = .concatenation(parts) }
            case Level.sum:
                value = try arithmetic(value, level) { $0 == .plus ? .add : $0 == .minus ? .subtract : nil }
            case Level.comparison: value = try comparison(value)
            case Level.and:
                var parts = [value]
                while skip(.and) { parts.append(try binary(level + 1)) }
                if parts.count > 1 { value = .and(parts) }
            case Level.or:
                var parts = [value]
                while skip(.or) { parts.append(try binary(level + 1)) }
                if parts.count > 1 { value = .or(parts) }
            default: break
            }
            level -= 1
        }
        return value
    }

    private mutating func arithmetic(
        _ first: Expression, _ level: Int, _ operation: (Symbol) -> Arithmetic?
    ) throws(TemplateError) -> Expression {
        var rest: [(operation: Arithmetic, operand: Expression, at: Int)] = []
        while case .symbol(let symbol) = current.kind, let operation = operation(symbol) {
            let at = current.at
            advance()
            rest.append((operation, level == Level.power ? try unary() : try binary(level + 1), at))
        }
        return rest.isEmpty ? first : .arithmetic(first, rest)
    }

    private mutating func comparison(_ first: Expression) throws(TemplateError) -> Expression {
        var rest: [(relation: Relation, operand: Expression, at: Int)] = []
        while let relation = relation() {
            let at = current.at
            advance()
            if relation == .isNotIn { advance() }
            rest.append((relation, try binary(Level.sum), at))
        }
        return rest.isEmpty ? first : .comparison(first, rest)
    }

    private func relation() -> Relation? {
        switch current.kind {
        case .symbol(.equal): .equal
        case .symbol(.notEqual): .notEqual
        case .symbol(.less): .less
        case .symbol(.lessOrEqual): .lessOrEqual
        case .symbol(.greater): .greater
        case .symbol(.greaterOrEqual): .greaterOrEqual
        case .name(Keyword.in.rawValue): .isIn
        case .name(Keyword.not.rawValue): next.kind == .name(Keyword.in.rawValue) ? .isNotIn : nil
        default: nil
        }
    }

    /// A value with its signs and with what follows it; filters do not belong to an operand of a sign.
    private mutating func unary(withFilters: Bool = true) throws(TemplateError) -> Expression {
        try enter()
        defer { depth -= 1 }
        let at = current.at
        var value: Expression
        var postfixes: [Postfix] = []
        if skip(.minus) {
            value = .negative(try unary(withFilters: false), at: at)
        } else if skip(.plus) {
            value = .positive(try unary(withFilters: false), at: at)
        } else {
            value = try primary()
            try access(&postfixes)
        }
        if withFilters { try filtersAndTests(&postfixes) }
        if !postfixes.isEmpty { value = .postfix(value, postfixes) }
        return value
    }

    private mutating func primary() throws(TemplateError) -> Expression {
        switch current.kind {
        case .name(let name):
            advance()
            switch Keyword(rawValue: name) {
            case .true, .True: return .constant(.bool(true))
            case .false, .False: return .constant(.bool(false))
            case .some(.none), .None: return .constant(.null)
            case .varargs, .kwargs, .caller: mentioned.insert(name)
            default: break
            }
            return .name(name)
        case .string(var text):
            advance()
            while case .string(let more) = current.kind {
                text.units += more.units
                advance()
            }
            return .constant(.string(text))
        case .integer(let value):
            advance()
            return .constant(.int(value))
        case .float(let value):
            advance()
            return .constant(.double(value))
        case .symbol(.leftParenthesis):
            advance()
            let value = try tuple(inParentheses: true)
            try expect(.rightParenthesis)
            return value
        case .symbol(.leftBracket): return try list()
        case .symbol(.leftBrace): return try dict()
        default: throw unexpected()
        }
    }

    private mutating func list() throws(TemplateError) -> Expression {
        advance()
        var elements: [Expression] = []
        while !sees(.rightBracket) {
            if !elements.isEmpty { try expect(.comma) }
            if sees(.rightBracket) { break }
            elements.append(try expression())
        }
        try expect(.rightBracket)
        return .list(elements)
    }

    private mutating func dict() throws(TemplateError) -> Expression {
        let at = current.at
        advance()
        var members: [(key: Expression, value: Expression)] = []
        while !sees(.rightBrace) {
            if !members.isEmpty { try expect(.comma) }
            if sees(.rightBrace) { break }
            let key = try expression()
            try expect(.colon)
            members.append((key, try expression()))
        }
        try expect(.rightBrace)
        return .dict(members, at: at)
    }
}

// MARK: - What follows a value

extension Parser {
    /// Attributes, subscripts and calls.
    private mutating func access(_ postfixes: inout [Postfix]) throws(TemplateError) {
        while true {
            let at = current.at
            if skip(.dot) {
                switch current.kind {
                case .name(let name):
                    advance()
                    if sees(.leftParenthesis) {
                        postfixes.append(Postfix(kind: .method(name, try arguments()), at: at))
                    } else {
                        postfixes.append(Postfix(kind: .attribute(name), at: at))
                    }
                case .integer(let value):
                    advance()
                    postfixes.append(Postfix(kind: .item(.constant(.int(value))), at: at))
                default: throw unexpected("name or number")
                }
            } else if sees(.leftBracket) {
                advance()
                postfixes.append(Postfix(kind: try bracketed(), at: at))
            } else if sees(.leftParenthesis) {
                postfixes.append(Postfix(kind: .call(try arguments()), at: at))
            } else {
                return
            }
        }
    }

    private mutating func filtersAndTests(_ postfixes: inout [Postfix]) throws(TemplateError) {
        while true {
            let at = current.at
            if skip(.pipe) {
                postfixes.append(try filter())
            } else if skip(.is) {
                postfixes.append(try test())
            } else if sees(.leftParenthesis) {
                postfixes.append(Postfix(kind: .call(try arguments()), at: at))
            } else {
                return
            }
        }
    }

    /// What stands in brackets: an index, a slice, or several indices that make a tuple.
    private mutating func bracketed() throws(TemplateError) -> Postfix.Kind {
        var kinds: [Postfix.Kind] = []
        while !sees(.rightBracket) {
            if !kinds.isEmpty { try expect(.comma) }
            kinds.append(try subscripted())
        }
        advance()
        if kinds.count == 1 { return kinds[0] }
        var indices: [Expression] = []
        for kind in kinds {
            guard case .item(let index) = kind else {
                throw fail("slices in several dimensions are not supported", .unsupported)
            }
            indices.append(index)
        }
        return .item(.tuple(indices))
    }

    private mutating func subscripted() throws(TemplateError) -> Postfix.Kind {
        var start: Expression?
        if !sees(.colon) {
            let index = try expression()
            guard sees(.colon) else { return .item(index) }
            start = index
        }
        advance()
        let stop = try bound()
        return .slice(start, stop, skip(.colon) ? try bound() : nil)
    }

    private mutating func bound() throws(TemplateError) -> Expression? {
        sees(.colon) || sees(.rightBracket) || sees(.comma) ? nil : try expression()
    }

    private mutating func arguments() throws(TemplateError) -> CallArguments {
        try expect(.leftParenthesis)
        var arguments = CallArguments()
        var isFirst = true
        while !sees(.rightParenthesis) {
            if !isFirst {
                try expect(.comma)
                if sees(.rightParenthesis) { break }
            }
            isFirst = false
            if skip(.star) {
                guard arguments.spread == nil, arguments.spreadNamed == nil else { throw unexpected() }
                arguments.spread = try expression()
            } else if skip(.doubleStar) {
                guard arguments.spreadNamed == nil else { throw unexpected() }
                arguments.spreadNamed = try expression()
            } else if case .name(let name) = current.kind, next.kind == .symbol(.assign) {
                guard arguments.spreadNamed == nil else { throw unexpected() }
                advance()
                advance()
                arguments.named.append((name, try expression()))
            } else {
                guard arguments.named.isEmpty, arguments.spread == nil, arguments.spreadNamed == nil else {
                    throw fail("invalid syntax for function call expression")
                }
                arguments.positional.append(try expression())
            }
        }
        try expect(.rightParenthesis)
        return arguments
    }

    /// The name of a filter or test, in which dots may stand.
    private mutating func dottedName() throws(TemplateError) -> Int {
        var name = try name()
        while skip(.dot) { name = names.number(names.strings[name] + "." + names.strings[try self.name()]) }
        return name
    }

    private mutating func filter() throws(TemplateError) -> Postfix {
        let at = current.at
        let name = try dottedName()
        let arguments = sees(.leftParenthesis) ? try arguments() : CallArguments()
        return Postfix(kind: .filter(Filter(named: names.strings[name]), name: name, arguments), at: at)
    }

    private mutating func test() throws(TemplateError) -> Postfix {
        let negated = skip(.not)
        let at = current.at
        let name: Int
        if sees(.in) {
            advance()
            name = Keyword.in.rawValue
        } else {
            name = try dottedName()
        }
        var arguments = CallArguments()
        if sees(.leftParenthesis) {
            arguments = try self.arguments()
        } else if beginsOperand {
            var postfixes: [Postfix] = []
            try enter()
            let operand = try primary()
            try access(&postfixes)
            depth -= 1
            arguments.positional = [postfixes.isEmpty ? operand : .postfix(operand, postfixes)]
        }
        let test = Test(named: names.strings[name])
        return Postfix(kind: .test(test, name: name, negated: negated, arguments), at: at)
    }

    /// Whether what follows a test is its argument, written without parentheses.
    private var beginsOperand: Bool {
        switch current.kind {
        case .string, .integer, .float, .symbol(.leftBracket), .symbol(.leftBrace): true
        case .name(let name):
            switch Keyword(rawValue: name) {
            case .else, .or, .and, .if, .is, .in, .not: false
            default: true
            }
        default: false
        }
    }
}
