import LikesProtocol

extension String {
    var isLoopback: Bool { self == "localhost" || self == "::1" || hasPrefix("127.") }

    /// The text as one word for a shell.
    package var shellWord: String {
        let isPlain = unicodeScalars.allSatisfy { scalar in
            scalar.properties.isAlphabetic && scalar.isASCII || "0123456789_-./:@".unicodeScalars.contains(scalar)
        }
        if isPlain && !isEmpty { return self }
        return "'" + replacing("'", by: "'\\''") + "'"
    }

    /// The text as one name for SQL.
    package var sqlName: String {
        "\"" + replacing("\"", by: "\"\"") + "\""
    }

    /// The text if it is one name as PostgreSQL's quote_ident writes it, with nothing behind it: what a server says
    /// must not become another statement. nil: it is not.
    package var asSQLName: String? {
        guard ForeignText.shown(self) == self, let first = utf8.first else { return nil }
        if first == UInt8(ascii: "\"") {
            // Two quotes within stand for one.
            let parts = utf8.dropFirst().dropLast().split(separator: first, omittingEmptySubsequences: false)
            let arePairs = stride(from: 1, to: parts.count, by: 2).allSatisfy { parts[$0].isEmpty }
            return utf8.count > 2 && utf8.last == first && parts.count % 2 == 1 && arePairs ? self : nil
        }
        let isPlain = utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || byte == UInt8(ascii: "_")
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        return isPlain ? self : nil
    }

    /// Whether a statement that contains the text is still one statement, and for psql no command. Within double quotes
    /// anything may stand.
    var isWithinStatement: Bool {
        let parts = split(separator: "\"", omittingEmptySubsequences: false)
        guard parts.count % 2 == 1 else { return false }
        return stride(from: 0, to: parts.count, by: 2).allSatisfy { place in
            let part = parts[place].unicodeScalars
            return !part.contains { $0 == "\\" || $0 == ";" }
                && ["--", "/*"].allSatisfy { part.firstRange(of: $0.unicodeScalars) == nil }
        }
    }

    /// Works on scalars, as shells and servers do: Swift takes a quote and a combining mark behind it for one
    /// character.
    private func replacing(_ quote: Unicode.Scalar, by text: String) -> String {
        unicodeScalars.reduce(into: "") { result, scalar in
            if scalar == quote { result += text } else { result.unicodeScalars.append(scalar) }
        }
    }
}
