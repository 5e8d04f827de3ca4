extension String {
    var isLoopback: Bool { self == "localhost" || self == "::1" || hasPrefix("127.") }

    /// The text as a shell takes it for one word.
    package var shellWord: String {
        let isPlain = unicodeScalars.allSatisfy { scalar in
            scalar.properties.isAlphabetic && scalar.isASCII || "0123456789_-./:@".unicodeScalars.contains(scalar)
        }
        if isPlain && !isEmpty { return self }
        return "'" + replacing("'", by: "'\\''") + "'"
    }

    /// The text as SQL takes it for one name.
    package var sqlName: String {
        "\"" + replacing("\"", by: "\"\"") + "\""
    }

    /// By scalars, as shells and servers read it: a quote and a combining mark behind it are one character.
    private func replacing(_ quote: Unicode.Scalar, by text: String) -> String {
        unicodeScalars.reduce(into: "") { result, scalar in
            if scalar == quote { result += text } else { result.unicodeScalars.append(scalar) }
        }
    }
}
