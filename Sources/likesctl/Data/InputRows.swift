import Glibc
import LikesProtocol
import LikesctlCommands

/// The rows of a file or of standard input, in pieces that end with a row.
///
/// A piece is sent to PostgreSQL as it is, so its size is what an import holds in memory.
struct InputRows: ~Copyable {
    /// Bytes of a piece: some 100,000 rows.
    static let pieceBytes = 4 * 1024 * 1024
    /// The longest row. No like is as long; without a limit a single quote would take the whole input for one row.
    static let rowBytesMax = 64 * 1024
    static let binarySignature: [UInt8] = [
        0x50, 0x47, 0x43, 0x4F, 0x50, 0x59, 0x0A, 0xFF, 0x0D, 0x0A, 0x00,
    ]
    /// What stands before and behind the binary rows of one COPY.
    static let binaryFrame = (begin: binarySignature + [UInt8](repeating: 0, count: 8), end: RowScanner.endMark)
    private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

    /// How far it was read, in whole rows.
    struct Position: Equatable {
        var bytes: Int64 = 0
        var digest = InputDigest()
        var lines: Int64 = 0
        var rows: Int64 = 0
    }

    private let descriptor: Int32
    private let isBinary: Bool
    private var scanner: RowScanner { isBinary ? .binary : .csv }
    let name: String
    private(set) var position = Position()
    /// Columns of the first row; 0: not known yet.
    private(set) var columns = 0
    private var buffer: UnsafeMutableRawBufferPointer
    /// Bytes in the buffer, and those of them that belong to the piece that was returned.
    private var filled = 0
    private var taken = 0
    private var isAtEnd = false

    /// `path`: nil for standard input.
    init(_ path: String?, _ format: DataOptions.Format) throws(Failure) {
        if let path {
            name = path
            descriptor = open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw Self.unreadable(path) }
        } else {
            name = "standard input"
            descriptor = STDIN_FILENO
        }
        isBinary = format == .binary
        buffer = .allocate(byteCount: Self.pieceBytes + Self.rowBytesMax, alignment: 16)
    }

    deinit {
        buffer.deallocate()
        if descriptor != STDIN_FILENO { close(descriptor) }
    }

    private static func unreadable(_ name: String) -> Failure {
        Failure(
            errno == EACCES ? .permissionDenied : .refused, "\(name) cannot be read: \(SystemCalls.text(of: errno))")
    }

    // MARK: Reading

    /// Reads what stands before the rows: the first bytes of binary rows, or a header and a mark of the byte order. It
    /// looks at the first row for the number of columns.
    mutating func readBeginning() throws(Failure) {
        try fill(upTo: Self.rowBytesMax)
        try refuseIfForeign()
        let before = isBinary ? try binaryHeader() : textHeader()
        let rest = UnsafeRawBufferPointer(rebasing: buffer[before.end..<filled])
        if isBinary {
            if rest.count >= 2 { columns = Int(rest[0]) << 8 | Int(rest[1]) }
            if columns > Int(RowScanner.fieldsMax) { columns = 0 }
        } else {
            columns = Self.fields(ofFirstRowIn: rest)
        }
        advance(before, rows: 0)
    }

    /// The next piece of whole rows, and how far the input is read with it; nil at the end.
    mutating func next() throws(Failure) -> (bytes: UnsafeRawBufferPointer, found: RowScanner.Found)? {
        drop()
        try fill(upTo: Self.pieceBytes)
        let found = try scan()
        guard found.rows > 0 else {
            try checkEnd(found)
            return nil
        }
        advance(found, rows: found.rows)
        return (UnsafeRawBufferPointer(rebasing: buffer[..<found.end]), found)
    }

    private func scan() throws(Failure) -> RowScanner.Found {
        do throws(RowScanner.Malformed) {
            let found = try scanner.scan(UnsafeRawBufferPointer(rebasing: buffer[..<filled]))
            guard found.rows == 0, !found.isEnded, filled >= Self.rowBytesMax else { return found }
            throw RowScanner.Malformed(
                line: 0, reason: "a row of more than \(Self.rowBytesMax) bytes" + (isBinary ? "" : ": a quote is open"))
        } catch {
            throw Failure(
                .refused, "\(place(of: position.lines + error.line + 1)): \(error.reason)", next: whenWrong)
        }
    }

    /// What to do about a row that cannot be read.
    var whenWrong: String {
        let form =
            isBinary
            ? "in binary rows the user is a bigint, the item text, and the time a timestamptz: cast them in the COPY"
            : "a row is user, item and time, as in 123,post:456,2026-01-02 03:04:05Z, "
                + "and has as many fields as the first row"
        return "\(form); correct it and run the same command again: it goes on after the rows that are loaded"
    }

    /// The first rows of some bytes, of which these rows were found whole.
    func beginning(of bytes: UnsafeRawBufferPointer, rows: Int64) -> RowScanner.Found {
        let none = RowScanner.Found(end: 0, rows: 0, lines: 0)
        guard rows > 0 else { return none }
        do throws(RowScanner.Malformed) {
            return try scanner.scan(bytes, rowsMax: rows)
        } catch {
            preconditionFailure("rows that were found whole are malformed: \(error.reason)")
        }
    }

    /// Whether a row says this user and this item, as far as that shows without reading it as PostgreSQL does.
    func says(_ user: String, _ item: String, _ row: UnsafeRawBufferPointer) -> Bool {
        guard !isBinary else { return row.contains(Array(item.utf8)) }
        func plain(_ text: some Sequence<UInt8>) -> some Sequence<UInt8> {
            text.filter { $0 != UInt8(ascii: "\"") }.drop {
                [UInt8(ascii: " "), UInt8(ascii: "+"), UInt8(ascii: "0")].contains($0)
            }
        }
        return Array(plain(row)).starts(with: plain("\(user),\(item)".utf8))
    }

    /// `line 7 of likes.csv`; binary rows have no lines.
    func place(of line: Int64) -> String { "\(isBinary ? "row" : "line") \(line) of \(name)" }

    /// An input that was cut off must not pass for a whole one.
    private func checkEnd(_ found: RowScanner.Found) throws(Failure) {
        let place = place(of: position.lines + 1)
        let next = "get the whole input and run the same command again: it goes on after the rows that are loaded"
        if isBinary {
            guard !found.isEnded else {
                guard filled == RowScanner.endMark.count else {
                    throw Failure(.refused, "\(place): there are bytes behind the end of the rows", next: next)
                }
                return
            }
            throw Failure(.refused, "\(place) is not there: the input was cut off", next: next)
        }
        guard filled == 0 else {
            throw Failure(
                .refused, "\(place) has no line break at its end: the input may have been cut off",
                next: "\(next); if it is whole, add the line break")
        }
    }

    private mutating func advance(_ found: RowScanner.Found, rows: Int64) {
        taken = found.end
        position.digest.add(UnsafeRawBufferPointer(rebasing: buffer[..<found.end]))
        position.bytes += Int64(found.end)
        position.lines += found.lines
        position.rows += rows
    }

    /// Forgets the piece that was returned.
    private mutating func drop() {
        guard taken > 0 else { return }
        UnsafeMutableRawBufferPointer(rebasing: buffer[..<filled]).copyMemory(
            from: UnsafeRawBufferPointer(rebasing: buffer[taken..<filled]))
        filled -= taken
        taken = 0
    }

    private mutating func fill(upTo count: Int) throws(Failure) {
        while filled < count, !isAtEnd {
            let received = read(descriptor, buffer.baseAddress.map { $0 + filled }, buffer.count - filled)
            if received > 0 {
                filled += received
            } else if received == 0 {
                isAtEnd = true
            } else if errno != EINTR {
                throw Self.unreadable(name)
            }
        }
    }

    // MARK: What was loaded before

    /// Reads as far as an import that goes on had come; false: these are other bytes.
    mutating func skip(to wanted: Position) throws(Failure) -> Bool {
        var left = wanted.bytes - position.bytes
        guard left >= 0 else { return false }
        drop()
        while left > 0 {
            try fill(upTo: 1)
            guard filled > 0 else { return false }
            let count = Int(min(Int64(filled), left))
            position.digest.add(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            taken = count
            drop()
            left -= Int64(count)
        }
        let isSame = position.digest == wanted.digest
        position = wanted
        return isSame
    }

    /// Whether nothing follows.
    mutating func isExhausted() throws(Failure) -> Bool {
        drop()
        try fill(upTo: RowScanner.endMark.count + 1)
        return filled == 0 || isBinary && buffer[..<filled].elementsEqual(RowScanner.endMark)
    }

    // MARK: The beginning

    private func refuseIfForeign() throws(Failure) {
        guard let found = ForeignInput.recognised(buffer[..<filled]), found != .binaryRows || !isBinary else { return }
        throw Failure(.refused, "\(name) \(found.rawValue)", next: found.next)
    }

    private func binaryHeader() throws(Failure) -> RowScanner.Found {
        let head = Self.binarySignature.count + 8
        guard filled >= head, buffer[..<filled].starts(with: Self.binarySignature) else {
            throw Failure(
                .refused, "\(name) does not begin like binary rows of COPY",
                next: "name its form: --format csv, or none")
        }
        let extra = buffer.loadUnaligned(fromByteOffset: head - 4, as: UInt32.self).bigEndian
        let flags = buffer.loadUnaligned(fromByteOffset: head - 8, as: UInt32.self).bigEndian
        guard flags == 0, Int(extra) <= filled - head else {
            throw Failure(.refused, "\(name) has binary rows of another kind than COPY writes today")
        }
        return RowScanner.Found(end: head + Int(extra), rows: 0, lines: 0)
    }

    private func textHeader() -> RowScanner.Found {
        let mark = buffer[..<filled].starts(with: Self.byteOrderMark) ? Self.byteOrderMark.count : 0
        let rest = UnsafeRawBufferPointer(rebasing: buffer[mark..<filled])
        let row = RowScanner.scanText(rest, rowsMax: 1)
        guard Self.isHeader(UnsafeRawBufferPointer(rebasing: rest[..<row.end])) else {
            return RowScanner.Found(end: mark, rows: 0, lines: 0)
        }
        return RowScanner.Found(end: mark + row.end, rows: 0, lines: row.lines)
    }

    /// Whether a first row names columns. Passed over by mistake, a like would be lost unseen: so a header has two
    /// fields at least, the first one is not empty, and none is a number or ends like an item, with a colon and one.
    static func isHeader(_ row: UnsafeRawBufferPointer) -> Bool {
        var fields: [[UInt8]] = [[]]
        var isQuoted = false
        for byte in row where byte != UInt8(ascii: "\r") && byte != UInt8(ascii: " ") {
            if byte == UInt8(ascii: "\"") {
                isQuoted.toggle()
            } else if byte == UInt8(ascii: ","), !isQuoted {
                fields.append([])
            } else if byte == UInt8(ascii: "\n"), !isQuoted {
                break
            } else {
                fields[fields.count - 1].append(byte)
            }
        }
        return fields.count >= 2 && !fields[0].isEmpty && !fields.contains { isNumber($0) || endsLikeItem($0) }
    }

    private static func isNumber(_ field: [UInt8]) -> Bool {
        let hasSign = field.first == UInt8(ascii: "-") || field.first == UInt8(ascii: "+")
        let digits = field.dropFirst(hasSign ? 1 : 0)
        return !digits.isEmpty && digits.allSatisfy { digit.contains($0) }
    }

    private static func endsLikeItem(_ field: [UInt8]) -> Bool {
        guard let colon = field.lastIndex(of: UInt8(ascii: ":")) else { return false }
        return isNumber(Array(field[(colon + 1)...]))
    }

    private static let digit = UInt8(ascii: "0")...UInt8(ascii: "9")

    static func fields(ofFirstRowIn bytes: UnsafeRawBufferPointer) -> Int {
        guard !bytes.isEmpty else { return 0 }
        var count = 1
        var isQuoted = false
        for byte in bytes {
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            if isQuoted { continue }
            if byte == UInt8(ascii: ",") { count += 1 }
            if byte == UInt8(ascii: "\n") { break }
        }
        return count
    }
}
