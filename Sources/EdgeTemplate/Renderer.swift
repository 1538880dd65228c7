/// One rendering: its variables, its heap, and what is left of its budget.
struct Renderer {
    let template: Template
    let now: TemplateTime
    private(set) var output: [UInt32] = []
    private var remaining: Int
    private var textLimit: Int
    private var depth = 0
    /// The place in the template that is at work, for errors.
    var position = 0

    /// Variables of the whole template, by number of their name.
    private var globals: [Value?]
    private var scopes: [Scope] = []
    /// The innermost scope, or -1 outside of all.
    private var scope = -1

    var lists: [[Value]] = []
    var dicts: [OrderedMap] = []
    var loops: [LoopState] = []
    var methods: [(receiver: Value, name: Int)] = []
    private var macros: [MacroValue] = []

    struct Scope {
        var parent: Int
        var names: [Int] = []
        var values: [Value] = []
    }

    struct LoopState {
        var items: [Value]
        var index = 0
        var depth: Int
        var last: Value?
    }

    struct MacroValue {
        var macro: Macro
        var scope: Int
    }

    enum Flow { case on, leaveLoop, nextItem }

    init(_ template: Template, now: TemplateTime) {
        self.template = template
        self.now = now
        remaining = template.limits.steps
        textLimit = template.limits.textLength
        globals = Array(repeating: nil, count: template.names.count)
    }

    mutating func run() throws(TemplateError) {
        _ = try execute(template.statements)
    }
}

// MARK: - Errors and limits

extension Renderer {
    @inline(never)
    func fail(_ code: TemplateError.Code, _ message: String) -> TemplateError {
        template.source.error(code, message, at: position)
    }

    /// Takes work units from the budget.
    @inline(never)
    mutating func charge(_ units: Int) throws(TemplateError) {
        remaining -= units
        if remaining < 0 { throw fail(.tooManySteps, "the template takes too many steps") }
    }

    /// Takes the work of making a text, which must be of a length that the limits allow.
    mutating func charge(characters: Int) throws(TemplateError) {
        guard characters <= textLimit else { throw fail(.tooLong, "a text of \(characters) characters is too long") }
        try charge(1 + characters >> 4)
    }

    /// Takes the work of looking at each character of a text; those beyond ASCII need tables.
    mutating func charge(scanning text: Text) throws(TemplateError) {
        var wide = 0
        for unit in text.units where unit & (Text.scalarMask - 0x7F) != 0 { wide += 1 }
        try charge(1 + text.count >> 2 + wide >> 1)
    }

    /// Appends to a text that is being made.
    mutating func grow(_ units: inout [UInt32], _ more: Text) throws(TemplateError) {
        guard units.count + more.count <= textLimit else {
            throw fail(.tooLong, "a text of \(units.count + more.count) characters is too long")
        }
        try charge(1 + more.count >> 4)
        units.append(contentsOf: more.units)
    }

    mutating func enter() throws(TemplateError) {
        depth += 1
        if depth > template.limits.renderDepth { throw fail(.tooDeep, "the rendering is nested too deep") }
        try charge(1)
    }

    mutating func leave() { depth -= 1 }

    @inline(never)
    mutating func write(_ text: Text) throws(TemplateError) {
        guard text.count + output.count <= textLimit else { throw fail(.tooLong, "the output is too long") }
        try charge(1 + text.count >> 4)
        output.append(contentsOf: text.units)
    }
}

// MARK: - Heap

extension Renderer {
    @inline(never)
    mutating func list(_ elements: [Value]) throws(TemplateError) -> Value {
        try charge(1 + elements.count >> 1)
        lists.append(elements)
        return .list(lists.count - 1)
    }

    @inline(never)
    mutating func tuple(_ elements: [Value]) throws(TemplateError) -> Value {
        try charge(1 + elements.count >> 1)
        lists.append(elements)
        return .tuple(lists.count - 1)
    }

    mutating func dict(_ map: OrderedMap) throws(TemplateError) -> Value {
        try charge(1 + map.count)
        dicts.append(map)
        return .dict(dicts.count - 1)
    }

    /// What a value is as a key of a dict.
    @inline(never)
    mutating func key(_ value: Value) throws(TemplateError) -> Key {
        switch value {
        case .null: return .null
        case .undefined: return .undefined
        case .bool(let flag): return .int(flag ? 1 : 0)
        case .int(let number): return .int(number)
        case .double(let number): return Int(exactly: number).map { .int($0) } ?? .double(number)
        case .string(let text), .safe(let text):
            try charge(text.count >> 4)
            return .string(text)
        case .tuple(let index):
            try enter()
            var keys: [Key] = []
            for element in lists[index] { keys.append(try key(element)) }
            leave()
            return .tuple(keys)
        case .list, .dict: throw fail(.type, "unhashable type: '\(value.kind.name)'")
        case .namespace(let index), .macro(let index), .loop(let index), .method(let index):
            return .other(value.kind, index)
        case .function(let keyword): return .other(.function, -1 - keyword.rawValue)
        }
    }
}

// MARK: - Input

extension Renderer {
    /// Takes the variables that the template mentions from the context.
    mutating func load(_ context: TemplateValue.Members) throws(TemplateError) {
        var values = 0
        var characters = 0
        for (name, value) in zip(context.keys, context.values) {
            guard let number = template.names.known(name) else { continue }
            globals[number] = try convert(value, 0, &values, &characters)
        }
        remaining += min(values, 1 << 30) * min(template.limits.stepsPerInputValue, 1 << 20) + characters
        textLimit += characters * 8
    }

    private mutating func convert(
        _ value: TemplateValue, _ level: Int, _ values: inout Int, _ characters: inout Int
    ) throws(TemplateError) -> Value {
        guard level < 128 else { throw TemplateError(.tooDeep, "the input is nested too deep") }
        values += 1
        switch value {
        case .null: return .null
        case .bool(let flag): return .bool(flag)
        case .int(let number): return .int(number)
        case .double(let number): return .double(number)
        case .string(let string):
            let text = Text(string)
            characters += text.count
            return .string(text)
        case .literal(let string):
            let text = Text(trusted: string)
            characters += text.count
            return .string(text)
        case .mixed(let segments):
            let text = Text(units: segments.flatMap { Text($0).units })
            characters += text.count
            return .string(text)
        case .list(let elements):
            var converted: [Value] = []
            converted.reserveCapacity(elements.count)
            for element in elements { converted.append(try convert(element, level + 1, &values, &characters)) }
            lists.append(converted)
            return .list(lists.count - 1)
        case .dict(let members):
            var map = OrderedMap()
            for (key, member) in zip(members.keys, members.values) {
                let text = Text(key)
                characters += text.count
                map.set(.string(text), .string(text), try convert(member, level + 1, &values, &characters))
            }
            dicts.append(map)
            return .dict(dicts.count - 1)
        }
    }
}

// MARK: - Variables

extension Renderer {
    mutating func lookup(_ name: Int) -> Value {
        var index = scope
        while index >= 0 {
            // What is spent here is missed by the next thing that asks for some.
            remaining -= 1 + scopes[index].names.count >> 3
            if let place = scopes[index].names.lastIndex(of: name) { return scopes[index].values[place] }
            index = scopes[index].parent
        }
        if let value = globals[name] { return value }
        if let keyword = Keyword(rawValue: name), keyword.rawValue >= Keyword.namespace.rawValue {
            return .function(keyword)
        }
        return .undefined(Missing(name: Int32(truncatingIfNeeded: name)))
    }

    mutating func assign(_ name: Int, _ value: Value) {
        guard scope >= 0 else {
            globals[name] = value
            return
        }
        remaining -= scopes[scope].names.count >> 3
        if let place = scopes[scope].names.firstIndex(of: name) {
            scopes[scope].values[place] = value
        } else {
            scopes[scope].names.append(name)
            scopes[scope].values.append(value)
        }
    }

    @inline(never)
    mutating func assign(_ target: Target, _ value: Value) throws(TemplateError) {
        switch target {
        case .name(let name): assign(name, value)
        case .attribute(let name, let attribute):
            guard case .namespace(let index) = lookup(name) else {
                throw fail(.type, "cannot assign attribute on non-namespace object")
            }
            let text = template.names.texts[attribute]
            dicts[index].set(.string(text), .string(text), value)
        case .tuple(let targets):
            let elements = try elements(of: value)
            guard elements.count == targets.count else {
                let problem = elements.count < targets.count ? "not enough values" : "too many values"
                throw fail(.value, "\(problem) to unpack (expected \(targets.count), got \(elements.count))")
            }
            for (target, element) in zip(targets, elements) { try assign(target, element) }
        }
    }

    /// Opens a scope within another one and says which scope to return to.
    private mutating func open(within parent: Int) -> Int {
        let outer = scope
        scopes.append(Scope(parent: parent))
        scope = scopes.count - 1
        return outer
    }

    /// Goes back to a scope. What lies above it is dropped unless a macro made meanwhile may still look there.
    private mutating func close(to outer: Int, macros known: Int) {
        if macros.count == known, scope == scopes.count - 1 { scopes.removeLast() }
        scope = outer
    }
}

// MARK: - Statements

extension Renderer {
    mutating func execute(_ statements: [Statement]) throws(TemplateError) -> Flow {
        try enter()
        defer { leave() }
        for statement in statements {
            let flow: Flow
            switch statement {
            case .data(let text):
                try write(text)
                continue
            case .output(let expression, let at):
                position = at
                try print(try evaluate(expression))
                continue
            case .set(let target, let expression, let at):
                try set(target, expression, at)
                continue
            case .branch(let branches, let otherwise, _): flow = try branch(branches, otherwise)
            case .loop(let loop): flow = try run(loop)
            case .setBlock(let target, let filters, let body, let at):
                flow = try setBlock(target, filters, body, at)
            case .macro(let macro):
                define(macro)
                continue
            case .call(let macro, let function, let arguments, let at):
                try call(macro, function, arguments, at)
                continue
            case .filterBlock(let filters, let body, let at): flow = try filterBlock(filters, body, at)
            case .scope(let values, let body, _): flow = try scoped(values, body)
            case .leaveLoop: return .leaveLoop
            case .nextItem: return .nextItem
            }
            if flow != .on { return flow }
        }
        return .on
    }

    @inline(never)
    private mutating func define(_ macro: Macro) {
        macros.append(MacroValue(macro: macro, scope: scope))
        if let name = macro.name { assign(name, .macro(macros.count - 1)) }
    }

    @inline(never)
    private mutating func set(_ target: Target, _ expression: Expression, _ at: Int) throws(TemplateError) {
        position = at
        let value = try evaluate(expression)
        position = at
        try assign(target, value)
    }

    @inline(never)
    private mutating func print(_ value: Value) throws(TemplateError) {
        if let text = value.text {
            try write(text)
        } else {
            try write(try string(value))
        }
    }

    @inline(never)
    private mutating func branch(
        _ branches: [(condition: Expression, body: [Statement])], _ otherwise: [Statement]
    ) throws(TemplateError) -> Flow {
        for (condition, body) in branches where try truth(try evaluate(condition)) { return try execute(body) }
        return try execute(otherwise)
    }

    @inline(never)
    private mutating func run(_ loop: Loop) throws(TemplateError) -> Flow {
        position = loop.at
        let value = try evaluate(loop.items)
        position = loop.at
        var items = try elements(of: value)
        let known = macros.count
        let outer = open(within: scope)
        defer { close(to: outer, macros: known) }
        let inner = scope
        if let condition = loop.condition {
            var kept: [Value] = []
            for item in items {
                try assign(loop.target, item)
                if try truth(try evaluate(condition)) { kept.append(item) }
            }
            items = kept
        }
        if items.isEmpty {
            scope = outer
            defer { scope = inner }
            return try execute(loop.otherwise)
        }
        loops.append(LoopState(items: items, depth: 0))
        let state = loops.count - 1
        for index in items.indices {
            if macros.count == known {
                scopes[inner].names.removeAll(keepingCapacity: true)
                scopes[inner].values.removeAll(keepingCapacity: true)
            } else {
                // A macro made in an earlier turn keeps its scope; this turn gets a new one.
                _ = open(within: outer)
            }
            try charge(1)
            loops[state].index = index
            assign(Keyword.loop.rawValue, .loop(state))
            position = loop.at
            try assign(loop.target, items[index])
            if try execute(loop.body) == .leaveLoop { break }
        }
        return .on
    }

    /// What statements write, instead of writing it.
    @inline(never)
    private mutating func capture(_ body: [Statement]) throws(TemplateError) -> (Text, Flow) {
        var outer: [UInt32] = []
        swap(&outer, &output)
        let flow = try execute(body)
        swap(&outer, &output)
        return (Text(units: outer), flow)
    }

    @inline(never)
    private mutating func captureScoped(_ body: [Statement]) throws(TemplateError) -> (Text, Flow) {
        let known = macros.count
        let outer = open(within: scope)
        let result = try capture(body)
        close(to: outer, macros: known)
        return result
    }

    @inline(never)
    private mutating func setBlock(
        _ target: Target, _ filters: [Postfix], _ body: [Statement], _ at: Int
    ) throws(TemplateError) -> Flow {
        let (text, flow) = try captureScoped(body)
        var value = Value.string(text)
        for filter in filters { value = try apply(filter, to: value) }
        position = at
        try assign(target, value)
        return flow
    }

    @inline(never)
    private mutating func filterBlock(
        _ filters: [Postfix], _ body: [Statement], _ at: Int
    ) throws(TemplateError) -> Flow {
        let (text, flow) = try captureScoped(body)
        var value = Value.string(text)
        for filter in filters { value = try apply(filter, to: value) }
        position = at
        try print(value)
        return flow
    }

    @inline(never)
    private mutating func scoped(
        _ values: [(target: Target, value: Expression)], _ body: [Statement]
    ) throws(TemplateError) -> Flow {
        var evaluated: [Value] = []
        for (_, expression) in values { evaluated.append(try evaluate(expression)) }
        let known = macros.count
        let outer = open(within: scope)
        for (index, value) in evaluated.enumerated() { try assign(values[index].target, value) }
        let flow = try execute(body)
        close(to: outer, macros: known)
        return flow
    }

    @inline(never)
    private mutating func call(
        _ body: Macro, _ function: Expression, _ written: CallArguments, _ at: Int
    ) throws(TemplateError) {
        let callee = try evaluate(function)
        var arguments = try evaluate(written)
        macros.append(MacroValue(macro: body, scope: scope))
        arguments.named.append((Keyword.caller.rawValue, .macro(macros.count - 1)))
        position = at
        try print(try call(callee, arguments))
    }
}

// MARK: - Macros

extension Renderer {
    @inline(never)
    mutating func callMacro(_ index: Int, _ arguments: Arguments) throws(TemplateError) -> Value {
        let value = macros[index]
        let macro = value.macro
        let known = macros.count
        let outer = open(within: value.scope)
        let place = position
        try bind(macro, arguments)
        let (text, _) = try capture(macro.body)
        close(to: outer, macros: known)
        position = place
        return .string(text)
    }

    @inline(never)
    private mutating func bind(_ macro: Macro, _ arguments: Arguments) throws(TemplateError) {
        let name = macro.name.map { "'\(template.names.strings[$0])'" } ?? "None"
        var rest = arguments.named
        for (index, parameter) in macro.parameters.enumerated() {
            let given = rest.firstIndex { $0.name == parameter.name }
            if index < arguments.positional.count {
                guard given == nil else {
                    let parameter = template.names.strings[parameter.name]
                    throw fail(.type, "macro \(name) got multiple values for argument '\(parameter)'")
                }
                assign(parameter.name, arguments.positional[index])
            } else if let given {
                assign(parameter.name, rest.remove(at: given).value)
            } else if let standard = parameter.standard {
                assign(parameter.name, try evaluate(standard))
            } else {
                assign(parameter.name, .undefined(Missing(name: Int32(truncatingIfNeeded: parameter.name))))
            }
        }
        if macro.takesCaller {
            let given = rest.firstIndex { $0.name == Keyword.caller.rawValue }
            let missing = Value.undefined(Missing(name: Int32(Keyword.caller.rawValue)))
            assign(Keyword.caller.rawValue, given.map { rest.remove(at: $0).value } ?? missing)
        }
        if macro.takesMoreNamed {
            var map = OrderedMap()
            for (name, value) in rest {
                let text = template.names.texts[name]
                map.set(.string(text), .string(text), value)
            }
            assign(Keyword.kwargs.rawValue, try dict(map))
        } else if let extra = rest.first {
            if extra.name == Keyword.caller.rawValue {
                throw fail(.type, "macro \(name) was invoked with two values for the special caller argument.")
            }
            let keyword = template.names.strings[extra.name]
            throw fail(.type, "macro \(name) takes no keyword argument '\(keyword)'")
        }
        if macro.takesMore {
            assign(
                Keyword.varargs.rawValue, try tuple(Array(arguments.positional.dropFirst(macro.parameters.count))))
        } else if arguments.positional.count > macro.parameters.count {
            throw fail(.type, "macro \(name) takes not more than \(macro.parameters.count) argument(s)")
        }
    }
}
