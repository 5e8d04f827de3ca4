/// Finds where rows end in the bytes of COPY, and nothing else: PostgreSQL reads the rows.
enum RowScanner {
    /// CSV: a row ends at a line break outside of quotes. A quote within quotes is doubled, so each one turns them.
    case csv
    /// Binary: a count of fields, then each field's length and bytes. A count of -1 ends the rows.
    case binary

    /// What was found in some bytes.
    struct Found: Equatable {
        /// Where the last whole row ends.
        var end: Int
        var rows: Int64
        /// Line breaks up to there; for binary rows their number.
        var lines: Int64
        /// The mark behind the last binary row begins at `end`.
        var isEnded = false
    }

    /// Bytes that no row is made of.
    struct Malformed: Error {
        /// The row's line, counted from 0 within these bytes.
        var line: Int64
        var reason: String
    }

    static let fieldsMax: Int16 = 3
    static let endMark: [UInt8] = [0xFF, 0xFF]

    /// All whole rows from the beginning of `bytes`, which is the beginning of a row; at most `rowsMax`.
    func scan(_ bytes: UnsafeRawBufferPointer, rowsMax: Int64 = .max) throws(Malformed) -> Found {
        switch self {
        case .csv: Self.scanText(bytes, rowsMax: rowsMax)
        case .binary: try Self.scanBinary(bytes, rowsMax)
        }
    }

    static func scanText(_ bytes: UnsafeRawBufferPointer, rowsMax: Int64) -> Found {
        var found = Found(end: 0, rows: 0, lines: 0)
        var lines: Int64 = 0
        var isQuoted = false
        for place in 0..<bytes.count {
            let byte = bytes[place]
            if byte == UInt8(ascii: "\"") {
                isQuoted.toggle()
            } else if byte == UInt8(ascii: "\n") {
                lines += 1
                guard !isQuoted else { continue }
                found = Found(end: place + 1, rows: found.rows + 1, lines: lines)
                if found.rows == rowsMax { break }
            }
        }
        return found
    }

    private static func scanBinary(_ bytes: UnsafeRawBufferPointer, _ rowsMax: Int64) throws(Malformed) -> Found {
        var found = Found(end: 0, rows: 0, lines: 0)
        while found.rows < rowsMax, bytes.count - found.end >= 2 {
            let fields = Int16(
                bitPattern: UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: found.end, as: UInt16.self)))
            if fields == -1 {
                found.isEnded = true
                return found
            }
            guard (1...fieldsMax).contains(fields) else {
                throw Malformed(line: found.rows, reason: "a row of \(fields) columns: there are user, item and time")
            }
            var place = found.end + 2
            for _ in 0..<fields {
                guard bytes.count - place >= 4 else { return found }
                let length = Int32(
                    bitPattern: UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self)))
                guard length >= -1 else {
                    throw Malformed(line: found.rows, reason: "a field with the length \(length)")
                }
                place += 4 + Int(max(length, 0))
            }
            guard place <= bytes.count else { return found }
            found = Found(end: place, rows: found.rows + 1, lines: found.rows + 1)
        }
        return found
    }
}

/// A digest of all bytes so far, by which an input is recognised when it comes again (FNV-1a).
struct InputDigest: Equatable {
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    init() {}

    init(_ stored: Int64) { value = UInt64(bitPattern: stored) }

    var stored: Int64 { Int64(bitPattern: value) }

    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        var value = value
        for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }
        self.value = value
    }
}
