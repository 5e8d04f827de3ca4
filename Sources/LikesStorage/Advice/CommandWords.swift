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

    /// Works on scalars, as shells and servers do: Swift takes a quote and a combining mark behind it for one
    /// character.
    private func replacing(_ quote: Unicode.Scalar, by text: String) -> String {
        unicodeScalars.reduce(into: "") { result, scalar in
            if scalar == quote { result += text } else { result.unicodeScalars.append(scalar) }
        }
    }
}
