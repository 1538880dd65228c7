internal import EdgeDocuments
internal import Foundation
internal import GRDB

/// The tables of a store, and how older ones become these.
///
/// `terms` is the index that SQLite searches by BM25: the terms of each passage (`Terms`) and of what it stands under, without the text
/// itself, so that a row can only be taken out by those who know what is in it: `meta` says by which rules they were made.
enum Schema {
    /// Marks a file of SQLite as a store of passages: "EdgR".
    private static let applicationID: Int64 = 0x4564_6752
    /// Marks the store in a knowledge pack, which has its vectors elsewhere: "EdgP".
    static let packedApplicationID: Int64 = 0x4564_6750
    private static let version: Int64 = 1

    /// Makes the tables, or brings those of an older version up to date, all in one transaction.
    static func prepare(_ db: Database, store: String) throws {
        let found = try checkedVersion(db, store: store)
        if found < 1 { try create(db) }
        try renewTerms(db)
        if found < version { try db.execute(sql: "PRAGMA user_version = \(version)") }
    }

    /// Refuses a store that would have to be brought up to date first.
    static func check(_ db: Database, store: String, isPacked: Bool) throws {
        let found = try checkedVersion(db, store: store, isPacked: isPacked)
        guard found == version, try meta("terms", in: db) == termsVersion else {
            throw RetrievalError(
                code: .unreadable,
                message: "\(store): the store is of an earlier version and may not be written to; "
                    + "open it once where it can be brought up to date")
        }
    }

    /// The version of a store that this library knows; 0 for an empty file.
    private static func checkedVersion(_ db: Database, store: String, isPacked: Bool = false) throws -> Int64 {
        let found = try Int64.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        let application = try Int64.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        let tables = try Int.fetchOne(db, sql: "SELECT COUNT(*) FROM sqlite_master") ?? 0
        guard
            application == (isPacked ? packedApplicationID : applicationID) || (tables == 0 && found == 0 && !isPacked)
        else {
            throw RetrievalError(
                code: .notAStore, message: "\(store): the file is a database, but no store of passages")
        }
        guard found <= version else {
            throw RetrievalError(
                code: .newerStore,
                message: "\(store): the store has version \(found), but this library knows \(version); use a later one")
        }
        return found
    }

    private static var termsVersion: String { "\(Terms.version).\(rulesVersion)" }

    private static func create(_ db: Database) throws {
        try db.execute(
            sql: """
                PRAGMA application_id = \(applicationID);
                CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
                INSERT INTO meta VALUES ('generation', '0');
                CREATE TABLE sources (
                    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, collection TEXT, title TEXT, format TEXT NOT NULL,
                    byteCount INTEGER NOT NULL, hash TEXT NOT NULL, metadata TEXT NOT NULL);
                CREATE INDEX sourcesOfCollection ON sources (collection);
                CREATE TABLE passages (
                    id INTEGER PRIMARY KEY AUTOINCREMENT,
                    source INTEGER NOT NULL REFERENCES sources (id) ON DELETE CASCADE, lower INTEGER NOT NULL,
                    upper INTEGER NOT NULL, isVerbatim INTEGER NOT NULL, page INTEGER, headings TEXT NOT NULL,
                    text TEXT NOT NULL);
                CREATE INDEX passagesOfSource ON passages (source);
                CREATE TABLE vectors (
                    passage INTEGER PRIMARY KEY REFERENCES passages (id) ON DELETE CASCADE, codes BLOB NOT NULL,
                    full BLOB NOT NULL);
                """)
    }

    /// Makes a copy of a store that of a pack: without vectors, which are elsewhere in it, and with the lexical index in one piece.
    static func pack(_ db: Database) throws {
        try db.execute(
            sql: """
                DELETE FROM vectors;
                INSERT INTO terms (terms) VALUES ('optimize');
                PRAGMA application_id = \(packedApplicationID);
                """)
    }

    /// Makes the lexical index where it is not there or was made by other rules.
    private static func renewTerms(_ db: Database) throws {
        guard try meta("terms", in: db) != termsVersion else { return }
        try db.execute(
            sql: """
                DROP TABLE IF EXISTS terms;
                CREATE VIRTUAL TABLE terms USING fts5 (words, titles, content='', tokenize="ascii tokenchars '~'");
                INSERT INTO terms (terms, rank) VALUES ('rank', 'bm25(1.0, \(titleWeight))');
                """)
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT passages.id, name, headings, text FROM passages JOIN sources ON sources.id = passages.source
                ORDER BY passages.id
                """)
        while let row = try rows.next() {
            try insertTerms(of: row["text"], under: decode(row["headings"]), in: row["name"], passage: row["id"], db)
        }
        try setMeta("terms", termsVersion, in: db)
    }

    static func meta(_ key: String, in db: Database) throws -> String? {
        guard try db.tableExists("meta") else { return nil }
        return try String.fetchOne(db, sql: "SELECT value FROM meta WHERE key = ?", arguments: [key])
    }

    static func setMeta(_ key: String, _ value: String, in db: Database) throws {
        try db.execute(sql: "INSERT OR REPLACE INTO meta VALUES (?, ?)", arguments: [key, value])
    }

    // MARK: Terms

    /// How much more a word counts in what a passage stands under: whoever names a car or a chapter means what is said there.
    private static let titleWeight = 3.0
    /// Goes up when the columns of `terms`, or what is in them, change.
    private static let rulesVersion = 2
    /// BM25 takes a word in a short text for more than in a long one. Entries of a list are short, but say no more about a word for it, so
    /// shorter texts count as having this many terms (about a hundred words): they are filled up with a term that nobody looks for.
    private static let shortestLength = 200
    private static let filler = "~~"

    /// The words of a passage, and those of its headings and of its document's name.
    private static func terms(of text: String, under headings: [String], in source: String) -> [String] {
        let file = source.split(separator: "/").suffix(3).joined(separator: " ")
        let words = Terms.of(text)
        var titles = Terms.of(headings.joined(separator: "\n") + "\n" + file)
        titles += repeatElement(filler, count: max(0, shortestLength - words.count - titles.count))
        return [words.joined(separator: " "), titles.joined(separator: " ")]
    }

    static func insertTerms(
        of text: String, under headings: [String], in source: String, passage: Int64, _ db: Database
    ) throws {
        let terms = terms(of: text, under: headings, in: source)
        try db.cachedStatement(sql: "INSERT INTO terms (rowid, words, titles) VALUES (?, ?, ?)")
            .execute(arguments: [passage, terms[0], terms[1]])
    }

    static func removeTerms(
        of text: String, under headings: [String], in source: String, passage: Int64, _ db: Database
    ) throws {
        let terms = terms(of: text, under: headings, in: source)
        try db.cachedStatement(sql: "INSERT INTO terms (terms, rowid, words, titles) VALUES ('delete', ?, ?, ?)")
            .execute(arguments: [passage, terms[0], terms[1]])
    }

    // MARK: Columns

    static func encode(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    static func decode(_ text: String) throws -> [String] {
        try decoded([String].self, text)
    }

    static func decoded<Value: Decodable>(_ type: Value.Type, _ text: String) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(text.utf8))
        } catch {
            throw RetrievalError(code: .damagedStore, message: "a row of the store cannot be read: \(text.prefix(80))")
        }
    }
}
