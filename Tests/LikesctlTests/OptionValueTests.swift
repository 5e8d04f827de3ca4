import LikesctlCommands
import Testing

@testable import likesctl

/// The forms of numbers that options take.
@Suite struct OptionValueTests {
    @Test("A whole number is taken as it would be printed, within its range.")
    func aWholeNumberIsTakenAsItWouldBePrinted() throws {
        #expect(try OptionValue.whole("--n", "0", 0...9) == 0)
        #expect(try OptionValue.whole("--n", "9223372036854775807", 0...Int64.max) == Int64.max)
        for wrong in ["", "+1", "01", "-0", "1 ", "1.0", "1e3", "x", "10", "-1", "9223372036854775808"] {
            #expect(throws: Failure.self, "\(wrong)") { try OptionValue.whole("--n", wrong, 0...9) }
        }
    }

    @Test("What is wrong with a whole number names the option, its range and the value.")
    func whatIsWrongWithAWholeNumberNamesOptionRangeAndValue() {
        #expect {
            try OptionValue.whole("--n", "12", 1...9)
        } throws: { error in
            (error as? Failure)?.message == "--n takes a whole number from 1 to 9, not '12'"
        }
    }

    @Test("A decimal is digits with at most one point.")
    func aDecimalIsDigitsWithAtMostOnePoint() {
        #expect(OptionValue.decimal("0") == 0)
        #expect(OptionValue.decimal("12.5") == 12.5)
        for wrong in ["", ".", "1.2.3", "-1", "+1", "1e3", "inf", "nan", "0x1p3", "1,5", "1 "] {
            #expect(OptionValue.decimal(wrong[...]) == nil, "\(wrong)")
        }
    }
}
