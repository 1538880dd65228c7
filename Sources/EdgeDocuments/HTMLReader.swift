/// HTML, reduced to its text: headings, paragraphs, list items, cells of tables, preformatted text.
///
/// No tree is built, so nothing can nest too deeply; the time is linear in the length. What browsers do not show (scripts, styles,
/// comments) and what is the same on every page (`nav`) is left out. A character reference becomes its character.
enum HTMLReader {
    static func read(_ source: [UInt8]) -> ReadDocument {
        var reduction = Reduction(source: source)
        return reduction.run()
    }

    /// Elements whose content is not shown or says nothing.
    private static let skipped: Set<String> = [
        "script", "style", "template", "noscript", "svg", "math", "nav", "iframe", "object", "select", "head",
    ]
    /// Elements that begin on a line of their own.
    private static let blocks: Set<String> = [
        "p", "div", "section", "article", "main", "header", "footer", "aside", "ul", "ol", "li", "dl", "dt", "dd",
        "table",
        "thead", "tbody", "tfoot", "tr", "blockquote", "pre", "form", "fieldset", "figure", "figcaption", "address",
        "details",
        "summary", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "body", "html", "caption", "title",
    ]

    private struct Reduction {
        let source: [UInt8]
        var i = 0
        var text: [UInt8] = []
        var origins: [ReadDocument.Origin] = []
        var blocks: [ReadDocument.Block] = []
        /// Where the block that is being written begins.
        var start = 0
        var heading: Int?
        var preformatted = 0
        /// Where a space stands in the source that is written when more text comes.
        var space: Int?

        init(source: [UInt8]) { self.source = source }

        mutating func run() -> ReadDocument {
            i = PlainReader.start(of: source)
            while i < source.count {
                let byte = source[i]
                if byte == 0x3C, readMarkup() { continue }
                if byte == 0x26, readReference() { continue }
                if byte.isBlank, preformatted == 0 {
                    if space == nil { space = i }
                    i += 1
                } else {
                    write([byte], from: i, sourceCount: 0)
                    i += 1
                }
            }
            close()
            return ReadDocument(text: text, blocks: self.blocks, origins: origins)
        }

        private mutating func write(_ bytes: [UInt8], from offset: Int, sourceCount: Int) {
            if let blank = space {
                space = nil
                if text.count > start { append([0x20], from: blank, sourceCount: 1) }
            }
            append(bytes, from: offset, sourceCount: sourceCount)
        }

        /// A new origin is noted only where the text does not simply go on.
        private mutating func append(_ bytes: [UInt8], from offset: Int, sourceCount: Int) {
            if let last = origins.last, last.sourceCount == 0, sourceCount == 0,
                last.source + (text.count - last.text) == offset
            {
            } else {
                origins.append(.init(text: text.count, source: offset, sourceCount: sourceCount))
            }
            text += bytes
        }

        /// Ends the block that is being written.
        private mutating func close() {
            space = nil
            let range = text.trimmed(start..<text.count)
            if !range.isEmpty {
                let kind: ReadDocument.Block.Kind
                if let heading {
                    kind = .heading(
                        level: heading,
                        title: String(decoding: text[range].map { $0.isBlank ? 0x20 : $0 }, as: UTF8.self))
                } else {
                    kind = preformatted > 0 ? .lines : .paragraph
                }
                blocks.append(.init(kind, range))
                append([0x0A, 0x0A], from: min(i, source.count), sourceCount: 1)
            }
            start = text.count
        }

        /// Reads a tag or a comment; false where the sign is just a sign.
        private mutating func readMarkup() -> Bool {
            let next = i + 1 < source.count ? source[i + 1] : 0
            if next == 0x21 || next == 0x3F {
                skipDeclaration()
                return true
            }
            let isClosing = next == 0x2F
            let nameStart = isClosing ? i + 2 : i + 1
            guard nameStart < source.count, source[nameStart].isLetter else { return false }
            var nameEnd = nameStart
            while nameEnd < source.count, source[nameEnd].isLetter || source[nameEnd].isDigit || source[nameEnd] == 0x2D
            {
                nameEnd += 1
            }
            let name = String(decoding: source[nameStart..<min(nameEnd, nameStart + 32)], as: UTF8.self).lowercased()
            let end = tagEnd(from: nameEnd)
            let isEmpty = end >= 2 && end <= source.count && source[end - 2] == 0x2F
            let tagStart = i
            i = end
            act(name, isClosing: isClosing, isEmpty: isEmpty, at: tagStart)
            return true
        }

        private mutating func act(_ name: String, isClosing: Bool, isEmpty: Bool, at offset: Int) {
            if HTMLReader.skipped.contains(name) {
                // The title is in the head, and is wanted.
                if name == "head" { return close() }
                if !isClosing, !isEmpty { skip(to: name) }
                return
            }
            if name == "br" {
                write([0x0A], from: offset, sourceCount: max(1, i - offset))
                return
            }
            if name == "td" || name == "th" {
                if !isClosing, text.count > start {
                    write(Array(" | ".utf8), from: offset, sourceCount: max(1, i - offset))
                }
                return
            }
            guard HTMLReader.blocks.contains(name) else { return }
            close()
            if name.count == 2, name.first == "h", let level = name.last?.wholeNumberValue {
                heading = isClosing ? nil : level
            } else if name == "title" {
                heading = isClosing ? nil : 1
            } else if name == "pre" {
                preformatted = isClosing ? max(0, preformatted - 1) : preformatted + 1
                start = text.count
            }
        }

        /// Past `<!-- … -->`, `<![CDATA[ … ]]>`, `<! … >` and `<? … >`.
        private mutating func skipDeclaration() {
            if source[i...].starts(with: "<!--".utf8) {
                i = find("-->", from: i + 4)
            } else if source[i...].starts(with: "<![CDATA[".utf8) {
                i = find("]]>", from: i + 9)
            } else {
                i = find(">", from: i + 2)
            }
        }

        /// The end of the first such text, or of the source.
        private func find(_ mark: String, from offset: Int) -> Int {
            let mark = Array(mark.utf8)
            var j = min(offset, source.count)
            while j + mark.count <= source.count {
                if source[j] == mark[0], source[j..<j + mark.count].elementsEqual(mark) { return j + mark.count }
                j += 1
            }
            return source.count
        }

        /// The byte after a tag; `>` within quotes does not end it.
        private func tagEnd(from offset: Int) -> Int {
            var quote: UInt8?
            var j = offset
            while j < source.count {
                let byte = source[j]
                if let open = quote {
                    if byte == open { quote = nil }
                } else if byte == 0x22 || byte == 0x27 {
                    quote = byte
                } else if byte == 0x3E {
                    return j + 1
                }
                j += 1
            }
            // A quote that never ends is no quote.
            return quote == nil ? source.count : find(">", from: offset)
        }

        /// Past the closing tag of an element whose content is left out.
        private mutating func skip(to name: String) {
            let wanted = Array(name.utf8)
            while i < source.count {
                guard source[i] == 0x3C, i + 2 + wanted.count <= source.count, source[i + 1] == 0x2F,
                    zip(source[(i + 2)...], wanted).allSatisfy({ $0 | 0x20 == $1 })
                else {
                    i += 1
                    continue
                }
                i = find(">", from: i)
                return
            }
        }

        /// Reads a character reference; false where there is none.
        private mutating func readReference() -> Bool {
            var end = i + 1
            while end < source.count, end - i <= 12, source[end].isLetter || source[end].isDigit || source[end] == 0x23
            {
                end += 1
            }
            guard end < source.count, source[end] == 0x3B else { return false }
            let name = String(decoding: source[i + 1..<end], as: UTF8.self)
            guard let scalar = HTMLReferences.scalar(named: name) else { return false }
            let count = end + 1 - i
            if scalar == "\u{A0}" || scalar == " ", preformatted == 0 {
                if space == nil { space = i }
            } else {
                write(Array(String(Character(scalar)).utf8), from: i, sourceCount: count)
            }
            i = end + 1
            return true
        }
    }
}

/// Character references: the numeric ones, and the names that texts use.
enum HTMLReferences {
    static func scalar(named name: String) -> Unicode.Scalar? {
        guard name.hasPrefix("#") else { return names[name] }
        let digits = name.dropFirst()
        let value =
            digits.first == "x" || digits.first == "X"
            ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits, radix: 10)
        guard let value, value != 0 else { return nil }
        return Unicode.Scalar(value)
    }

    private static let names: [String: Unicode.Scalar] = [
        "amp": "&", "lt": "<", "gt": ">", "quot": "\"", "apos": "'", "nbsp": "\u{A0}", "copy": "©", "reg": "®",
        "trade": "™",
        "deg": "°", "plusmn": "±", "micro": "µ", "middot": "·", "times": "×", "divide": "÷", "frac12": "½",
        "frac14": "¼",
        "frac34": "¾", "sup1": "¹", "sup2": "²", "sup3": "³", "hellip": "…", "ndash": "–", "mdash": "—", "lsquo": "‘",
        "rsquo": "’", "sbquo": "‚", "ldquo": "“", "rdquo": "”", "bdquo": "„", "laquo": "«", "raquo": "»", "lsaquo": "‹",
        "rsaquo": "›", "bull": "•", "euro": "€", "pound": "£", "yen": "¥", "cent": "¢", "sect": "§", "para": "¶",
        "dagger": "†",
        "Dagger": "‡", "permil": "‰", "prime": "′", "Prime": "″", "larr": "←", "uarr": "↑", "rarr": "→", "darr": "↓",
        "harr": "↔", "rArr": "⇒", "hArr": "⇔", "le": "≤", "ge": "≥", "ne": "≠", "asymp": "≈", "equiv": "≡",
        "infin": "∞",
        "minus": "−", "radic": "√", "sum": "∑", "Omega": "Ω", "omega": "ω", "alpha": "α", "beta": "β", "gamma": "γ",
        "delta": "δ", "Delta": "Δ", "lambda": "λ", "mu": "μ", "pi": "π", "sigma": "σ", "phi": "φ", "ensp": " ",
        "emsp": " ",
        "thinsp": " ", "shy": "\u{AD}", "zwj": "\u{200D}", "zwnj": "\u{200C}", "iexcl": "¡", "iquest": "¿", "ordf": "ª",
        "ordm": "º", "Agrave": "À", "Aacute": "Á", "Acirc": "Â", "Atilde": "Ã", "Auml": "Ä", "Aring": "Å", "AElig": "Æ",
        "Ccedil": "Ç", "Egrave": "È", "Eacute": "É", "Ecirc": "Ê", "Euml": "Ë", "Igrave": "Ì", "Iacute": "Í",
        "Icirc": "Î",
        "Iuml": "Ï", "Ntilde": "Ñ", "Ograve": "Ò", "Oacute": "Ó", "Ocirc": "Ô", "Otilde": "Õ", "Ouml": "Ö",
        "Oslash": "Ø",
        "Ugrave": "Ù", "Uacute": "Ú", "Ucirc": "Û", "Uuml": "Ü", "szlig": "ß", "agrave": "à", "aacute": "á",
        "acirc": "â",
        "atilde": "ã", "auml": "ä", "aring": "å", "aelig": "æ", "ccedil": "ç", "egrave": "è", "eacute": "é",
        "ecirc": "ê",
        "euml": "ë", "igrave": "ì", "iacute": "í", "icirc": "î", "iuml": "ï", "ntilde": "ñ", "ograve": "ò",
        "oacute": "ó",
        "ocirc": "ô", "otilde": "õ", "ouml": "ö", "oslash": "ø", "ugrave": "ù", "uacute": "ú", "ucirc": "û",
        "uuml": "ü",
        "yuml": "ÿ", "OElig": "Œ", "oelig": "œ", "Scaron": "Š", "scaron": "š", "Yuml": "Ÿ",
    ]
}
