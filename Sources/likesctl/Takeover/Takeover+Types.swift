import LikesProtocol
import LikesStorage
import LikesctlCommands

// The item types of the reference's rows.
extension Takeover {
    /// Before anything is changed.
    func checkTypes(_ sums: UnheldSums) throws(Failure) {
        let isMade = try session.holds("SELECT to_regclass('item_types') IS NOT NULL")
        let known = isMade ? try TypeNaming.known(database) : Schema.firstTypes
        try types.check(known, stored: sums.allTypes, command)
    }

    /// This command with more options.
    private func command(_ options: String) -> String {
        let dropping = self.options.dropsIndexes ? "--drop-indexes " : ""
        return session.advice.likesctlAgain(.adopt, with: dropping + options).text
    }

    /// Adds those that are configured, and returns them.
    @discardableResult
    func nameTypes() throws(Failure) -> [String] {
        let added = try types.run(database, command)
        if !added.isEmpty { try report.done("item types added: \(added.joined(separator: ", "))") }
        return added
    }

    /// Later commands, and hosts that start, know of these without looking at all rows.
    func noteTypes(_ numbers: Set<Int16>) throws(Failure) {
        for number in numbers.sorted() { try database.execute(Schema.noteType, [String(number)]) }
    }

    func addItemTypes(_ sums: UnheldSums) throws(Failure) {
        let added = try nameTypes()
        var names: [Int16: String] = [:]
        for type in try TypeNaming.known(database) { names[type.number] = ForeignText.shown(type.name) }
        try noteTypes(sums.allTypes.subtracting(names.keys))
        for rows in sums.unnamed(names) { try report.found(rows) }
        for (number, name) in names.sorted(by: { $0.key < $1.key }) {
            guard let rows = sums.types["user_likes"]?[number] else { continue }
            let likes = Counted.text(rows, "like")
            let isConfigured = configuration.itemTypes.names.contains(name)
            if added.contains(name) { try report.done("item type \(number), of \(likes), is \(name) now") }
            guard !isConfigured else { continue }
            report.warn(
                Warning(
                    message: "ITEM_TYPES does not name the item type \(name), of \(likes): likesd answers nothing "
                        + "about it", next: "add \(name) to ITEM_TYPES of each host"))
        }
    }
}
