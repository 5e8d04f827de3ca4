import LikesStorage
import Testing

/// Which number a type has is told, not guessed.
@Suite struct UnnamedTypesTests {
    private func unnamed(
        _ configured: [String], stored: Set<Int16>, known: [NumberedType] = Schema.firstTypes
    ) -> UnnamedTypes? {
        UnnamedTypes(configured: configured, known: known, stored: stored)
    }

    @Test("Only names without a number beside numbers without a name are in doubt.")
    func onlyBothAreInDoubt() {
        #expect(unnamed(["post", "story"], stored: [1, 2]) == nil)
        #expect(unnamed(["post", "reel"], stored: [1, 9]) == nil)
        #expect(unnamed(["story"], stored: [-1]) == nil)
        #expect(unnamed(["story"], stored: [9]) != nil)
    }

    @Test("The command names each of them, and numbers that are free where rows have none.")
    func theCommandNamesEachOfThem() throws {
        let types = try #require(unnamed(["post", "story", "live"], stored: [9, 1]))
        #expect(
            types.reason == "rows are stored of the item type 9, which has no name, and ITEM_TYPES has story and live, "
                + "which have no number: no type was added")
        #expect(
            types.next { "likesctl migrate \($0)" } == "a new type takes a free number, as in --type 10=live; if story "
                + "is 9 and live is new, run: likesctl migrate --type 9=story --type 10=live")
        // As the command line reads it.
        let named = types.proposal.compactMap { NumberedType("\($0.number)=\($0.name)") }
        #expect(named == types.proposal)
        #expect(unnamed(["post", "story", "live"], stored: [9, 1], known: Schema.firstTypes + named) == nil)
    }

    @Test("Above the last number there is none, so lower ones are free.")
    func lowerNumbersAreFree() throws {
        let types = try #require(unnamed(["story", "live"], stored: [.max]))
        #expect(types.proposal.map(\.number) == [.max, 4])
    }

    @Test("Only a number and a type's name make a numbered type.", arguments: ["9", "=a", "9=", "09=a", "9=A", "-1=a"])
    func onlyANumberAndANameMakeOne(text: String) {
        #expect(NumberedType(text) == nil)
        #expect(NumberedType("32767=a") == NumberedType(number: .max, name: "a"))
        #expect(NumberedType("32768=a") == nil)
    }
}
