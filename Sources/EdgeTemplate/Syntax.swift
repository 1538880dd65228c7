/// An expression. Chains of operators and of postfixes are flat, so that depth means nesting and nothing else.
indirect enum Expression: Sendable {
    case constant(Value)
    case name(Int)
    case list([Expression])
    case tuple([Expression])
    case dict([(key: Expression, value: Expression)], at: Int)
    case postfix(Expression, [Postfix])
    case negative(Expression, at: Int)
    case positive(Expression, at: Int)
    case not(Expression)
    case arithmetic(Expression, [(operation: Arithmetic, operand: Expression, at: Int)])
    case concatenation([Expression])
    case comparison(Expression, [(relation: Relation, operand: Expression, at: Int)])
    case and([Expression])
    case or([Expression])
    case conditional([(condition: Expression, value: Expression)], otherwise: Expression?)
}

enum Arithmetic: Sendable { case add, subtract, multiply, divide, floorDivide, remainder, power }

enum Relation: Sendable { case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual, isIn, isNotIn }

/// What may follow an expression.
struct Postfix: Sendable {
    enum Kind: Sendable {
        case attribute(Int)
        case item(Expression)
        case slice(Expression?, Expression?, Expression?)
        case call(CallArguments)
        case method(Int, CallArguments)
        case filter(Filter?, name: Int, CallArguments)
        case test(Test?, name: Int, negated: Bool, CallArguments)
    }

    var kind: Kind
    var at: Int
}

/// The arguments of a call as written.
struct CallArguments: Sendable {
    var positional: [Expression] = []
    var named: [(name: Int, value: Expression)] = []
    var spread: Expression?
    var spreadNamed: Expression?
}

/// What a value is assigned to.
indirect enum Target: Sendable {
    case name(Int)
    case attribute(of: Int, Int)
    case tuple([Target])
}

indirect enum Statement: Sendable {
    case data(Text)
    case output(Expression, at: Int)
    case branch([(condition: Expression, body: [Statement])], otherwise: [Statement], at: Int)
    case loop(Loop)
    case set(Target, Expression, at: Int)
    case setBlock(Target, [Postfix], [Statement], at: Int)
    case macro(Macro)
    case call(Macro, Expression, CallArguments, at: Int)
    case filterBlock([Postfix], [Statement], at: Int)
    case scope([(target: Target, value: Expression)], [Statement], at: Int)
    case leaveLoop
    case nextItem
}

struct Loop: Sendable {
    var target: Target
    var items: Expression
    var condition: Expression?
    var body: [Statement]
    var otherwise: [Statement]
    var at: Int
}

/// A macro, or the body of a call block.
struct Macro: Sendable {
    var name: Int?
    var parameters: [(name: Int, standard: Expression?)]
    var body: [Statement]
    var takesMore: Bool
    var takesMoreNamed: Bool
    var takesCaller: Bool
}
