import Testing

@testable import LikesProtocol

private func refusal(_ names: [String]) -> ItemTypesError? {
    do throws(ItemTypesError) {
        _ = try ItemTypes(names)
        return nil
    } catch {
        return error
    }
}

@Test("A list of item types is refused for its first fault")
func aListOfItemTypesIsRefusedForItsFirstFault() {
    #expect(refusal([]) == ItemTypesError.none)
    #expect(refusal(["post", "reel", "post"]) == .repeated("post"))
    for name in ["", "Post", "1a", "-a", "_a", "a b", "a:b", "\u{e9}", "a\n", String(repeating: "a", count: 33)] {
        #expect(refusal(["ok", name]) == .badName(name), "\(name.debugDescription)")
    }
    #expect(refusal((0..<65).map { "t\($0)" }) == .tooMany(65))
}

@Test("Names of 1 to 32 letters, digits, _ and -, up to 64 of them, are taken")
func namesOf1To32CharactersUpTo64OfThemAreTaken() {
    #expect(refusal(["a", "z9_-", String(repeating: "a", count: 32)]) == nil)
    #expect(refusal((0..<64).map { "t\($0)" }) == nil)
}

@Test("A type is found by its whole name, at its place")
func aTypeIsFoundByItsWholeNameAtItsPlace() throws {
    let types = try ItemTypes(["post", "pos", "posts", "reel"])
    func index(_ name: String) -> UInt8? { Array(name.utf8).withUnsafeBytes { types.index(of: $0) } }
    #expect(["post", "pos", "posts", "reel"].map(index) == [0, 1, 2, 3])
    for name in ["", "p", "poss", "Post", "postpos", "comment"] { #expect(index(name) == nil) }
}

@Test("The standard types are the reference's, and give the canonical text")
func theStandardTypesAreTheReferences() {
    #expect(ItemTypes.standard == (try? ItemTypes(["post", "reel", "comment"])))
    #expect(ItemTypes.standard.text(of: Item(type: 2, id: 9)) == "comment:9")
}
