import Testing

@testable import LikesJSON

@Suite struct JSONReaderTests {
    private func read(_ text: String) throws -> String { try JSONReader.read(Array(text.utf8)).text }

    @Test(arguments: [
        ("null", "null"), ("true", "true"), ("false", "false"), (" \t\r\n5 ", "5"), ("-0", "0"),
        ("9223372036854775807", "9223372036854775807"), ("-9223372036854775808", "-9223372036854775808"),
        ("9223372036854775808", "9223372036854775808"), ("123.0", "123.0"), ("1e400", "1e400"), ("-1.5E-3", "-1.5E-3"),
        ("\"\"", "\"\""), ("\"a\\u0041\\n\\/\\\\\"", "\"aA\\n/\\\\\""), ("\"\\ud83d\\ude00\"", "\"😀\""),
        ("[]", "[]"), ("[ 1 , [ ] , { } ]", "[1,[],{}]"), ("{\"a\" : {\"b\":null}}", "{\"a\":{\"b\":null}}"),
    ])
    func whatIsJSONIsReadAsItStands(_ row: (text: String, value: String)) throws {
        #expect(try read(row.text) == row.value)
    }

    @Test(arguments: ["\"\\ud800\"", "\"\\ud800x\"", "\"\\udc00\"", "\"\\ud800\\n\"", "\"\\ud800\\u0041\""])
    func aHalfOfASurrogatePairIsReplaced(_ text: String) throws {
        guard case .string(let value) = try JSONReader.read(Array(text.utf8)) else {
            Issue.record("not a string")
            return
        }
        #expect(value.unicodeScalars.first == "\u{fffd}")
    }

    /// Among them what lenient readers take: names in single quotes, 01, 1., NaN, raw control characters, comments.
    @Test(arguments: [
        "", " ", "nul", "nullx", "True", "NaN", "Infinity", "-Infinity", "-", "01", "-01", "1.", ".5", "1e", "1e+",
        "+1",
        "0x10", "'a'", "{'a':1}", "{a:1}", "{\"a\":1,}", "[1,]", "[,1]", "[1 2]", "{\"a\" 1}", "{\"a\":}", "{\"a\"}",
        "\"a", "\"\\x41\"", "\"\\u12\"", "\"\\u12g4\"", "\"\t\"", "\"\u{0}\"", "1 x", "{} {}", "[1]]", "/* */ 1",
        "1 // x",
        "{\"a\":1", "[1", "[", "{", "\\", "\u{feff}1",
    ])
    func whatIsNotJSONIsRefused(_ text: String) {
        #expect(throws: JSONReader.Fault.self) { try read(text) }
    }

    @Test func aFaultSaysWhere() {
        #expect(throws: JSONReader.Fault(reason: "Expecting ',' delimiter", offset: 13)) { try read("{\"user_id\": 1") }
        #expect(throws: JSONReader.Fault(reason: "Extra data", offset: 3)) { try read("{} x") }
    }

    @Test func nestingHasALimit() throws {
        let depth = JSONReader.depthMax
        _ = try read(String(repeating: "[", count: depth) + String(repeating: "]", count: depth))
        #expect(throws: JSONReader.Fault.self) { try read(String(repeating: "[", count: depth + 1)) }
        #expect(throws: JSONReader.Fault.self) { try read(String(repeating: "{\"a\":", count: depth + 1)) }
    }

    @Test func ofSeveralMembersWithOneNameTheLastCounts() throws {
        let value = try JSONReader.read(Array(#"{"a":1,"b":2,"a":3}"#.utf8))
        #expect(value.member("a")?.text == "3")
        #expect(value.member("c") == nil)
    }

    @Test func aNameWithAZeroByteIsAnotherName() throws {
        let value = try JSONReader.read(Array(#"{"user_id\u0000x":1}"#.utf8))
        #expect(value.member("user_id") == nil)
    }

    @Test func whatIsCutAnywhereIsRefused() throws {
        let text = Array(#"{"a":[1,-2.5e3,"x\u00e9\n",true,null],"b":{"c":"d"}}"#.utf8)
        _ = try JSONReader.read(text)
        for length in 0..<text.count {
            #expect(throws: JSONReader.Fault.self) { try JSONReader.read(Array(text[..<length])) }
        }
    }
}

@Suite struct JSONWriterTests {
    @Test func whatSteersATerminalIsEscaped() {
        #expect(JSON.string("a\"b\\c\n\u{1b}\u{202e}é").text == #""a\"b\\c\n\u001b\u202eé""#)
    }

    @Test func charactersBeyondSixteenBitsAreEscapedAsAPair() {
        #expect(JSON.string("\u{e0001}").text == #""\udb40\udc01""#)
    }

    @Test func numbersThatJSONLacksAreNull() {
        #expect(
            JSON.array([.number(.nan), .number(.infinity), .number(1.5), .integer(.max)]).text
                == "[null,null,1.5,9223372036854775807]")
    }
}
