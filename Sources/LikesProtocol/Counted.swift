/// A number and its noun, as a message shows them.
package enum Counted {
    /// `1 item`, `2 items`; `plural` where that is not the noun with an s.
    package static func text(_ count: some BinaryInteger, _ noun: String, plural: String? = nil) -> String {
        "\(count) \(self.noun(noun, count, plural: plural))"
    }

    /// The noun alone, for a number that is written in another way.
    package static func noun(_ noun: String, _ count: some BinaryInteger, plural: String? = nil) -> String {
        count == 1 ? noun : plural ?? noun + "s"
    }
}
