/// What may flow into an argument of a call.
public enum ArgumentRule: Sendable, Hashable, Codable {
    /// Anything.
    case any
    /// What the user said, word for word but for case and white space.
    case fromUser
    /// One of these texts.
    case oneOf([String])
    /// One of these texts, or what the user said.
    case fromUserOr([String])
    /// Anything but what stands in a document or came from a tool, unless the user said it too.
    case notFromDocuments
}

/// What is asked of the calls of one tool.
public struct ToolRule: Sendable, Hashable, Codable {
    /// Whether the user must have asked for it: words of the question must be of each of these groups, the first being what is done. A word
    /// counts by its beginning, and not where a "not" stands before it. Nil where nobody need ask.
    public var askedBy: [[String]]?
    /// What may flow into each argument, by its name.
    public var arguments: [String: ArgumentRule]
    /// What may flow into the others.
    public var otherArguments: ArgumentRule
    /// Whether each call is put before the program first. A call that nobody can approve is not made.
    public var needsApproval: Bool
    /// What the model is told where a call is not made or fails: `{reason}` is why, `{name}` the argument of that name. Nil for
    /// `Error: {reason}`.
    public var failureForm: String?
    /// Why a call was not made that was not approved, where the program gives no reason.
    public var denial: String
    /// Seconds of a call at most; nil for `AgentLimits.callSeconds`.
    public var seconds: Double?

    /// A rule.
    public init(
        askedBy: [[String]]? = nil, arguments: [String: ArgumentRule] = [:], otherArguments: ArgumentRule = .any,
        needsApproval: Bool = false, failureForm: String? = nil, denial: String = "the call was not approved",
        seconds: Double? = nil
    ) {
        self.askedBy = askedBy
        self.arguments = arguments
        self.otherArguments = otherArguments
        self.needsApproval = needsApproval
        self.failureForm = failureForm
        self.denial = denial
        self.seconds = seconds
    }

    /// A tool that only reads: called whenever the model wants it.
    public static func reads(failureForm: String? = nil, seconds: Double? = nil) -> ToolRule {
        ToolRule(failureForm: failureForm, seconds: seconds)
    }

    /// A tool that changes something: the user must have asked for it, arguments must be the user's words or of a fixed list, and each call
    /// needs approval.
    ///
    /// - Parameter askedBy: see `ToolRule.askedBy`; nil for the words of the tool's name.
    public static func changes(
        askedBy: [[String]]? = nil, arguments: [String: ArgumentRule] = [:], failureForm: String? = nil,
        denial: String = "the call was not approved", seconds: Double? = nil
    ) -> ToolRule {
        ToolRule(
            askedBy: askedBy ?? [], arguments: arguments, otherArguments: .fromUser, needsApproval: true,
            failureForm: failureForm, denial: denial, seconds: seconds)
    }
}

/// What calls may do: a rule for each tool.
public struct AgentPolicy: Sendable, Hashable, Codable {
    /// The rules by the names of the tools.
    public var rules: [String: ToolRule]
    /// The rule of tools that have none of their own: that they change something, unless it is given.
    public var fallback: ToolRule

    /// A policy.
    public init(_ rules: [String: ToolRule] = [:], fallback: ToolRule = .changes()) {
        self.rules = rules
        self.fallback = fallback
    }

    /// The rule of a tool.
    public func rule(for tool: String) -> ToolRule { rules[tool] ?? fallback }
}
