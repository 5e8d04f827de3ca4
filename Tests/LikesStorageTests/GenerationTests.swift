import LikesStorage
import Testing

/// Redis' marker.
@Suite struct GenerationTests {
    private static let identity = DatabaseIdentity(system: "7000000000000000001", timeline: 3, tables: "5.6.7")
    private static let generation = Generation(
        server: "run:repl", database: identity, era: 2,
        snapshot: DatabaseSnapshot(least: 700, next: 720, running: [700, 705]), token: "aaaaaaaaaaaa")
    private static let words = ["run:repl", "7000000000000000001:3:5.6.7", "2", "700:720:700,705", "aaaaaaaaaaaa", "-"]

    @Test("A marker is read as it was written")
    func aMarkerIsReadAsItWasWritten() {
        #expect(Self.generation.marker == Self.words.joined(separator: " "))
        #expect(Generation(marker: Self.generation.marker) == Self.generation)
    }

    @Test(
        "What no host writes is no marker",
        arguments: [
            (2, "-1"), (2, "+2"), (2, "02"), (2, ""), (2, "x"), (2, "1000000000"), (2, "9223372036854775807"),
            (2, "9223372036854775808"), (3, "700"), (3, "-5:9:"), (3, "99999999999999999999:99999999999999999999:"),
            (3, "0x5:9:"), (3, "700:699:"),
            (3, "700:720:705,700"), (3, "700:720:699"), (3, "700:720:720"), (3, "700:720:,"), (1, "7:3"),
            (1, "7:3:5:6"),
            (1, "7::5"), (1, "7:-3:5"), (1, ":3:5"), (4, ""), (4, "a b"), (0, ""), (5, ""), (5, "- -"),
        ])
    func whatNoHostWritesIsNoMarker(place: Int, word: String) {
        var words = Self.words
        words[place] = word
        #expect(Generation(marker: words.joined(separator: " ")) == nil)
    }

    @Test("A marker of the last era that can be counted is one")
    func aMarkerOfTheLastEraThatCanBeCountedIsOne() {
        var last = Self.generation
        last.era = Generation.eraMax
        #expect(Generation(marker: last.marker) == last)
    }

    @Test(
        "A marker fits what is known of the database, or is of an older past",
        arguments: [
            (nil, 0, true), (DatabaseIdentity(system: "7000000000000000001", timeline: 2, tables: "5.6.7"), 0, true),
            (identity, 2, true), (identity, 3, false),
            (DatabaseIdentity(system: "7000000000000000001", timeline: 4, tables: "5.6.7"), 0, false),
            (DatabaseIdentity(system: "7000000000000000001", timeline: 3, tables: "5.6.8"), 0, false),
            (DatabaseIdentity(system: "7", timeline: 1, tables: "5.6.7"), 0, false),
        ] as [(DatabaseIdentity?, Int64, Bool)])
    func aMarkerFitsWhatIsKnownOfTheDatabaseOrIsOfAnOlderPast(known: DatabaseIdentity?, era: Int64, fits: Bool) {
        #expect(Self.generation.fits(known, era: era) == fits)
    }
}
