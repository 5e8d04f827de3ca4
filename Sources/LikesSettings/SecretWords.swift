/// Whether a part of a URL that normally holds no secret, and so is shown, holds one after all: somebody put a whole
/// URL in its place, or a wrong separator before a password.
enum SecretWords {
    /// Nested percent encodings that are looked through.
    private static let encodingsMax = 3

    /// Whether the part must not be shown.
    static func mayStand(in part: Substring) -> Bool {
        anyForm(of: part) { hasMarks($0) || $0.lowercased().contains("password") }
    }

    /// A mistake: no name or path has such marks.
    static func stand(in part: Substring) -> Bool { anyForm(of: part, hasMarks) }

    private static func anyForm(of part: Substring, _ isIt: (String) -> Bool) -> Bool {
        var form = String(part)
        for _ in 0..<encodingsMax {
            if isIt(form) { return true }
            guard let decoded = ConfigurationText.percentDecoded(form), decoded != form else { return false }
            form = decoded
        }
        return true
    }

    /// Looks for `name=` behind anything that somebody may have taken for a separator. `isKeyword`: whether a name
    /// counts.
    static func haveKeyword(_ text: String, _ isKeyword: (String) -> Bool) -> Bool {
        var isBehindSeparator = false
        var name = ""
        var hasEnded = false
        for scalar in text.unicodeScalars {
            if scalar == "=" {
                if isBehindSeparator, isKeyword(name.lowercased()) { return true }
                name = ""
            } else if scalar.properties.isAlphabetic || scalar == "_" || (0x30...0x39).contains(scalar.value) {
                if hasEnded { name = "" }
                hasEnded = false
                name.unicodeScalars.append(scalar)
            } else {
                // Blanks may stand between the name and the sign.
                hasEnded = true
                if !isBlank(scalar) { name = "" }
                isBehindSeparator = isBehindSeparator || isBlank(scalar) || separators.contains(scalar)
            }
        }
        return false
    }

    private static let separators: Set<Unicode.Scalar> = ["&", ",", ";", "?", "#", "|"]

    private static func hasMarks(_ text: String) -> Bool {
        let scalars = text.unicodeScalars
        func has(_ scalar: Unicode.Scalar) -> Bool { scalars.contains(scalar) }
        return has("=") || has("@") && has(":") || text.contains("://")
            || scalars.contains { isBlank($0) && !$0.isASCII }
    }

    /// Whatever looks like a blank, or like nothing.
    private static func isBlank(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isWhitespace || scalar.properties.isDefaultIgnorableCodePoint
            || scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
    }
}
