import Testing

@testable import LikesProtocol

@Test(
    "A received error is a first word and a message, whatever it holds",
    arguments: [
        ("ERR no", "ERR", "no", ErrorCode.err),
        ("NOPERM  two blanks", "NOPERM", " two blanks", .noPermission),
        ("CONFIG f:1: wrong", "CONFIG", "f:1: wrong", .configuration),
        ("BUSY", "BUSY", "", .busy),
        ("", "", "", nil),
        ("err no", "err", "no", nil),
        ("WRONGTYPE of Redis", "WRONGTYPE", "of Redis", nil),
    ] as [(String, String, String, ErrorCode?)])
func aReceivedErrorIsAFirstWordAndAMessage(text: String, word: String, message: String, code: ErrorCode?) {
    let error = ReceivedError(Array(text.utf8))
    #expect(error.word == word)
    #expect(error.message == message)
    #expect(error.code == code)
    #expect(error.text == text)
}
