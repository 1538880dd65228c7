/// The formats that are enforced, as regular expressions over whole strings.
enum Formats {
    /// The expression of a format, nil where it is not enforced.
    static func pattern(_ name: String) -> String? {
        switch name {
        case "date": date
        case "time": time
        case "date-time": date + "[Tt]" + time
        case "duration": duration
        case "uuid": "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"
        case "ipv4": ipv4
        case "ipv6": ipv6
        case "email": email
        case "json-pointer": "(?:/(?:[^/~]|~[01])*)*"
        default: nil
        }
    }

    /// Formats that JSON Schema defines and that are not enforced here; all others mean nothing to it.
    static let refused: Set<String> = [
        "hostname", "idn-email", "idn-hostname", "iri", "iri-reference", "regex", "relative-json-pointer", "uri",
        "uri-reference", "uri-template",
    ]

    /// RFC 3339, with the lengths of months and the leap years of the Gregorian calendar.
    private static let date: String = {
        let leapTens = "0[48]|[2468][048]|[13579][26]"
        let leapYear = "[0-9][0-9](?:\(leapTens))|(?:00|\(leapTens))00"
        return "(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
            + "|02-(?:0[1-9]|1[0-9]|2[0-8]))|(?:\(leapYear))-02-29)"
    }()

    /// RFC 3339; a leap second only as 23:59:60 in UTC itself.
    private static let time =
        "(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]+)?(?:[Zz]|[+\\-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
        + "|23:59:60(?:\\.[0-9]+)?(?:[Zz]|[+\\-]00:00))"

    /// ISO 8601 as RFC 3339's appendix A has it.
    private static let duration: String = {
        let clock = "T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S)"
        let day = "(?:[0-9]+D|[0-9]+M(?:[0-9]+D)?|[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?)"
        return "P(?:\(day)(?:\(clock))?|\(clock)|[0-9]+W)"
    }()

    private static let ipv4: String = {
        let byte = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
        return "\(byte)(?:\\.\(byte)){3}"
    }()

    /// RFC 4291's text forms.
    private static let ipv6: String = {
        let group = "[0-9A-Fa-f]{1,4}"
        let last = "(?:\(group):\(group)|\(ipv4))"
        var forms = ["(?:\(group):){6}\(last)"]
        for before in 0...7 {
            let head = before == 0 ? "" : before == 1 ? group : "(?:\(group):){\(before - 1)}\(group)"
            // After "::" at most so many groups as leave one out.
            let rest = 7 - before
            if rest >= 1 { forms.append("\(head)::(?:\(group):){0,\(rest - 1)}\(group)") }
            if rest >= 2 { forms.append("\(head)::(?:\(group):){0,\(rest - 2)}\(ipv4)") }
            forms.append("\(head)::")
        }
        return "(?:" + forms.joined(separator: "|") + ")"
    }()

    /// The dot-atom form of RFC 5321, and quoted local parts; domains of letters, digits and inner hyphens, or an address.
    private static let email: String = {
        let atom = "[A-Za-z0-9!#$%&'*+\\-/=?\\^_`{|}~]+"
        let quoted = "\"(?:[ !#-\\[\\]-~]|\\\\[ -~])*\""
        let label = "[A-Za-z0-9](?:[A-Za-z0-9\\-]*[A-Za-z0-9])?"
        return "(?:\(atom)(?:\\.\(atom))*|\(quoted))@(?:\(label)(?:\\.\(label))*|\\[(?:\(ipv4)|IPv6:\(ipv6))\\])"
    }()
}
