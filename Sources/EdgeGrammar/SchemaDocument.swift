/// The places of a schema document: which URI each subschema has, and what a reference means.
struct SchemaDocument {
    /// A JSON value in the document, the URI that references in it are relative to, and its JSON Pointer.
    struct Place {
        var value: JSON
        var pointer: String
        var base: String
    }

    let root: JSON
    let isDraft7: Bool
    private var resources: [String: Place] = [:]
    private var anchors: [String: Place] = [:]
    /// The base URI of each subschema that has another one than the schema around it.
    private var bases: [String: String] = [:]

    init(_ root: JSON, isDraft7: Bool) throws(GrammarError) {
        self.root = root
        self.isDraft7 = isDraft7
        try register(root, "", "")
        if resources[""] == nil { resources[""] = Place(value: root, pointer: "", base: "") }
    }

    var rootPlace: Place { Place(value: root, pointer: "", base: bases[""] ?? "") }

    static func escape(_ key: ByteString) -> String {
        var text = ""
        for scalar in key.description.unicodeScalars {
            switch scalar {
            case "~": text += "~0"
            case "/": text += "~1"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    static let singles: [ByteString] = [
        "additionalProperties", "propertyNames", "additionalItems", "contains", "not", "if", "then", "else",
        "unevaluatedItems", "unevaluatedProperties", "contentSchema", "items",
    ]
    static let lists: [ByteString] = ["allOf", "anyOf", "oneOf", "prefixItems", "items"]
    static let maps: [ByteString] = [
        "properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies",
    ]

    private mutating func register(_ value: JSON, _ pointer: String, _ given: String) throws(GrammarError) {
        guard case .object(let members) = value else { return }
        var base = given
        let hidesSiblings = isDraft7 && value["$ref"] != nil
        if case .string(let id)? = value["$id"], !hidesSiblings {
            let uri = URIReference.resolve(id.description, against: base)
            if id.description.hasPrefix("#") {
                anchors[uri] = Place(value: value, pointer: pointer, base: base)
            } else {
                base = URIReference.split(uri).resource
                if let other = resources[base], other.pointer != pointer {
                    throw GrammarError(.malformedSchema, "$id \(base) stands twice", pointer: pointer + "/$id")
                }
                resources[base] = Place(value: value, pointer: pointer, base: base)
                bases[pointer] = base
            }
        }
        for keyword in ["$anchor", "$dynamicAnchor"] as [ByteString] {
            if case .string(let name)? = value[keyword] {
                anchors[base + "#" + name.description] = Place(value: value, pointer: pointer, base: base)
            }
        }
        for member in members {
            let inner = pointer + "/" + Self.escape(member.key)
            if Self.singles.contains(member.key), case .object = member.value {
                try register(member.value, inner, base)
            }
            if Self.lists.contains(member.key), case .array(let items) = member.value {
                for (index, item) in items.enumerated() { try register(item, inner + "/\(index)", base) }
            }
            if Self.maps.contains(member.key), case .object(let schemas) = member.value {
                for schema in schemas { try register(schema.value, inner + "/" + Self.escape(schema.key), base) }
            }
        }
    }

    /// The base URI of a subschema at `pointer` in a schema with base `base`.
    func base(at pointer: String, within base: String) -> String { bases[pointer] ?? base }

    /// What a `$ref` in a schema with the given base means.
    func resolve(_ reference: String, from place: Place) throws(GrammarError) -> Place {
        let uri = URIReference.resolve(reference, against: place.base)
        let (resource, fragment) = URIReference.split(uri)
        func failure(_ kind: GrammarError.Kind, _ message: String) -> GrammarError {
            GrammarError(kind, "$ref \"\(reference)\": \(message)", pointer: place.pointer + "/$ref")
        }
        if !fragment.isEmpty, !fragment.hasPrefix("/") {
            guard let anchor = anchors[resource + "#" + fragment] else {
                throw failure(.malformedSchema, "no such anchor in this document")
            }
            return anchor
        }
        guard
            var target = resources[resource]
                ?? (resource == URIReference.split(place.base).resource ? resources[""] : nil)
        else { throw failure(.unsupported, "another document is not fetched") }
        guard let decoded = URIReference.percentDecoded(fragment) else {
            throw failure(.malformedSchema, "a bad escape")
        }
        for part in decoded.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            let name = Self.replace(Self.replace(String(part), "~1", "/"), "~0", "~")
            let next: JSON?
            switch target.value {
            case .object: next = target.value[ByteString(name)]
            case .array(let items): next = Int(name).flatMap { items.indices.contains($0) ? items[$0] : nil }
            default: next = nil
            }
            guard let next else { throw failure(.malformedSchema, "nothing is there") }
            let pointer = target.pointer + "/" + Self.escape(ByteString(name))
            target = Place(value: next, pointer: pointer, base: bases[pointer] ?? target.base)
        }
        return target
    }

    private static func replace(_ text: String, _ old: String, _ new: String) -> String {
        var made = ""
        var rest = Substring(text)
        while !rest.isEmpty {
            if rest.hasPrefix(old) {
                made += new
                rest = rest.dropFirst(old.count)
            } else {
                made.append(rest.removeFirst())
            }
        }
        return made
    }
}

/// RFC 3986, as far as references between schemas need it.
enum URIReference {
    static func split(_ uri: String) -> (resource: String, fragment: String) {
        guard let hash = uri.firstIndex(of: "#") else { return (uri, "") }
        return (String(uri[..<hash]), String(uri[uri.index(after: hash)...]))
    }

    private static func schemeEnd(_ uri: String) -> String.Index? {
        guard let colon = uri.firstIndex(of: ":"), let first = uri.first, first.isLetter else { return nil }
        return uri[..<colon].allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0)) }
            ? colon : nil
    }

    static func resolve(_ reference: String, against base: String) -> String {
        if schemeEnd(reference) != nil { return reference }
        let root = split(base).resource
        if reference.isEmpty { return root }
        if reference.hasPrefix("#") { return root + reference }
        let (path, fragment) = split(reference)
        let tail = reference.contains("#") ? "#" + fragment : ""
        guard let colon = schemeEnd(root) else {
            // A base without a scheme is a path like any other.
            if path.hasPrefix("/") { return path + tail }
            let folder = root.lastIndex(of: "/").map { String(root[...$0]) } ?? ""
            return removeDots(folder + path) + tail
        }
        let scheme = String(root[...colon])
        var rest = root[root.index(after: colon)...]
        var authority = ""
        if rest.hasPrefix("//") {
            let start = rest.index(rest.startIndex, offsetBy: 2)
            let end = rest[start...].firstIndex(of: "/") ?? rest.endIndex
            authority = String(rest[..<end])
            rest = rest[end...]
        }
        if path.hasPrefix("//") { return scheme + path + tail }
        if path.hasPrefix("/") { return scheme + authority + removeDots(path) + tail }
        let basePath = rest.firstIndex(of: "?").map { rest[..<$0] } ?? rest
        let folder = basePath.lastIndex(of: "/").map { String(basePath[...$0]) } ?? (authority.isEmpty ? "" : "/")
        return scheme + authority + removeDots(folder + path) + tail
    }

    private static func removeDots(_ path: String) -> String {
        var parts: [Substring] = []
        let pieces = path.split(separator: "/", omittingEmptySubsequences: false)
        for (index, piece) in pieces.enumerated() {
            let isLast = index == pieces.count - 1
            if piece == ".." {
                if parts.count > 1 { parts.removeLast() }
                if isLast { parts.append("") }
            } else if piece == "." {
                if isLast { parts.append("") }
            } else {
                parts.append(piece)
            }
        }
        return parts.joined(separator: "/")
    }

    static func percentDecoded(_ text: String) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst(), let low = rest.popFirst(),
                let value = UInt8(String(decoding: [high, low], as: UTF8.self), radix: 16)
            else { return nil }
            bytes.append(value)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
