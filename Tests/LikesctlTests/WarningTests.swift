import LikesctlCommands
import Testing

@testable import likesctl

@Suite struct WarningTests {
    @Test("A warning has the shape of an error without a code.")
    func aWarningHasTheShapeOfAnErrorWithoutACode() {
        #expect(Warning(message: "a", next: "b").json.text == #"{"warning":{"message":"a","next":"b"}}"#)
        #expect(Warning(message: "a").json.text == #"{"warning":{"message":"a","next":null}}"#)
        #expect(Warning(message: "a", next: "b").text == "a; next: b")
    }

    @Test("What several things left out makes one error, which says each and what to do about each.")
    func whatSeveralThingsLeftOutMakesOneError() {
        let failure = [Warning(message: "a", next: "b"), Warning(message: "c"), Warning(message: "d", next: "e")]
            .incompleteness
        #expect(failure == Failure(.incomplete, "a\nc\nd", next: "b; e"))
        #expect([Warning(message: "c; next: x")].incompleteness == Failure(.incomplete, "c; next: x", next: nil))
    }
}
