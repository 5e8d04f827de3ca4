import Testing

@testable import likesctl

/// Where rows of COPY end, whatever part of them is there.
@Suite struct RowScannerTests {
    private func scan(_ bytes: [UInt8], as scanner: RowScanner = .csv) throws -> RowScanner.Found {
        try bytes.withUnsafeBytes { try scanner.scan($0) }
    }

    @Test(
        "A row of CSV ends at a line break outside of quotes",
        arguments: [
            ("", 0, 0, 0), ("1,a", 0, 0, 0), ("1,a\n", 4, 1, 1), ("1,a\n2,b", 4, 1, 1), ("1,a\r\n2,b\r\n", 10, 2, 2),
            ("1,\"a\nb\"\n", 8, 1, 2), ("1,\"a\"\"\n\"\n2", 9, 1, 2), ("1,\"a\n2,b\n", 0, 0, 0), ("\n\n", 2, 2, 2),
        ])
    func rowsOfTextEndAtLineBreaks(text: String, end: Int, rows: Int64, lines: Int64) throws {
        #expect(try scan(Array(text.utf8)) == RowScanner.Found(end: end, rows: rows, lines: lines))
    }

    @Test("Of each beginning of CSV exactly the whole rows are found")
    func eachBeginningOfText() throws {
        let rows = ["1,post:1\n", "\"2\",\"po\nst\"\n", "3,\"\"\"\n\"\"\"\r\n", "\n", "4,x,2020-01-02\n"]
        let bytes = rows.flatMap { Array($0.utf8) }
        for count in 0...bytes.count {
            let found = try scan(Array(bytes[..<count]))
            let whole = rows.indices.last { rows[...$0].reduce(0) { $0 + $1.utf8.count } <= count }.map { $0 + 1 } ?? 0
            #expect(found.rows == Int64(whole), "\(count) bytes")
            #expect(found.end == rows[..<whole].reduce(0) { $0 + $1.utf8.count }, "\(count) bytes")
        }
    }

    private func row(_ fields: [[UInt8]?]) -> [UInt8] {
        var bytes: [UInt8] = [0, UInt8(fields.count)]
        for field in fields {
            guard let field else {
                bytes += [0xFF, 0xFF, 0xFF, 0xFF]
                continue
            }
            bytes += [0, 0, 0, UInt8(field.count)] + field
        }
        return bytes
    }

    @Test("Of each beginning of binary rows exactly the whole rows are found, and the end where it is")
    func eachBeginningOfBinaryRows() throws {
        let rows = [row([[1, 2], [3]]), row([nil, [], [0xFF, 0xFF]]), row([[UInt8](repeating: 7, count: 200)])]
        let bytes = rows.flatMap { $0 } + RowScanner.endMark
        for count in 0...bytes.count {
            let found = try scan(Array(bytes[..<count]), as: .binary)
            let whole = rows.indices.last { rows[...$0].reduce(0) { $0 + $1.count } <= count }.map { $0 + 1 } ?? 0
            #expect(found.rows == Int64(whole), "\(count) bytes")
            #expect(found.isEnded == (count == bytes.count))
        }
    }

    @Test(
        "What cannot be a binary row is refused",
        arguments: [[0, 4], [0, 0], [0x80, 0], [0, 1, 0xFF, 0xFF, 0xFF, 0xFE]] as [[UInt8]])
    func wrongBinaryRows(bytes: [UInt8]) {
        #expect(throws: RowScanner.Malformed.self) { try scan(bytes, as: .binary) }
    }

    @Test("A field that is longer than all that is there is waited for, however long it says it is")
    func aLongField() throws {
        #expect(try scan([0, 1, 0x7F, 0xFF, 0xFF, 0xFF, 1], as: .binary).rows == 0)
    }

    @Test(
        "A header is a first line of several fields, none of which is a number or an item",
        arguments: [
            ("1,post:1\n", false), ("\"1\",x\n", false), (" 12 ,x\n", false), ("-5,x\n", false), (",x\n", false),
            ("", false), ("x,post:1\n", false), ("post:1,x\n", false), ("item,5\n", false),
            ("x,\"po,st:1\"\r\n", false),
            ("1;post:1\n", false), ("user\n", false), ("x,y,2020-01-02 03:04:05\n", false), ("\u{1F}x\n", false),
            ("user,item\n", true), ("\"user\",x\r\n", true), ("1a,x\n", true), ("-,x\n", true),
            ("a,b:,c:d\n1,2\n", true),
        ])
    func headers(text: String, isHeader: Bool) {
        #expect(Array(text.utf8).withUnsafeBytes { InputRows.isHeader($0) } == isHeader)
    }

    @Test("A digest depends on each byte and on nothing else")
    func digests() {
        let bytes = Array("1,post:1\n2,post:2\n".utf8)
        var whole = InputDigest()
        bytes.withUnsafeBytes { whole.add($0) }
        for count in 0...bytes.count {
            var parts = InputDigest()
            bytes[..<count].withUnsafeBytes { parts.add($0) }
            var stored = InputDigest(parts.stored)
            bytes[count...].withUnsafeBytes { stored.add($0) }
            #expect(stored == whole)
        }
        for place in bytes.indices {
            var other = bytes
            other[place] ^= 1
            var digest = InputDigest()
            other.withUnsafeBytes { digest.add($0) }
            #expect(digest != whole)
        }
    }
}
