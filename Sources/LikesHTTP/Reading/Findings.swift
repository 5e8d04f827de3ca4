import LikesJSON
import LikesProtocol

/// Takes the values out of a request, and gathers all that is wrong with them.
struct Findings {
    /// What is wrong beyond this many issues is not told: a body of 1 MiB can have a hundred thousand.
    static let issuesMax = 1_000

    /// The item types that likesd has; nil: not known yet.
    let types: [String]?
    private(set) var issues: [Issue] = []

    init(types: [String]?) { self.types = types }

    mutating func add(_ issue: Issue) {
        if issues.count < Self.issuesMax { issues.append(issue) }
    }

    var isFull: Bool { issues.count >= Self.issuesMax }

    /// A user's or an item's id; nil: it is missing or wrong.
    mutating func id(_ name: String, in whole: JSON, at location: [Issue.Step]) -> Int64? {
        guard let value = whole.member(name) else {
            add(.missing(at: location + [.name(name)], in: whole))
            return nil
        }
        return id(value, at: location + [.name(name)])
    }

    mutating func id(_ value: JSON, at location: [Issue.Step]) -> Int64? {
        do throws(Identifier.Wrong) {
            return try Identifier.read(value, at: location)
        } catch {
            add(error.issue)
            return nil
        }
    }

    /// The same of a parameter. `part`: of the request.
    mutating func id(text: String?, _ name: String, in part: String = "query") -> Int64? {
        // The usual form needs no place to tell.
        if let text, let number = Int64(text), number >= 0 { return number }
        guard let text else {
            add(.missing(at: [.name(part), .name(name)], in: nil))
            return nil
        }
        return number(text, at: [.name(part), .name(name)])
    }

    private mutating func number(
        _ text: String, at location: [Issue.Step], in range: ClosedRange<Int64> = 0...Int64.max
    ) -> Int64? {
        do throws(Identifier.Wrong) {
            return try Identifier.read(text: text, at: location, in: range)
        } catch {
            add(error.issue)
            return nil
        }
    }

    /// How many elements a page may have.
    mutating func limit(_ text: String?) -> Int? {
        guard let text else { return WireLimits.pageItems }
        let range = 1...Int64(WireLimits.itemsPerRequestMax)
        return number(text, at: [.name("query"), .name("limit")], in: range).map { Int($0) }
    }

    /// The item behind which a page begins.
    mutating func item(behind text: String) -> ItemName? {
        let location: [Issue.Step] = [.name("query"), .name("after")]
        guard let colon = text.lastIndex(of: ":") else {
            add(.notAnItem(at: location, text))
            return nil
        }
        let type = type(.string(String(text[..<colon])), at: location)
        let id = number(String(text[text.index(after: colon)...]), at: location)
        guard let type, let id else { return nil }
        return ItemName(type: type, id: id)
    }

    /// An item type; the default if none is named. nil: it is wrong.
    mutating func type(_ value: JSON?, at location: @autoclosure () -> [Issue.Step]) -> String? {
        guard let value else { return ItemName.typeOtherwise }
        if case .string(let name) = value, isType(name) { return name }
        add(.notAType(at: location(), value, types: types))
        return nil
    }

    /// The elements of a list; nil: there is none.
    mutating func list(_ name: String, in whole: JSON, at location: [Issue.Step]) -> [JSON]? {
        guard let value = whole.member(name) else {
            add(.missing(at: location + [.name(name)], in: whole))
            return nil
        }
        guard case .array(let values) = value else {
            add(.notAList(at: location + [.name(name)], value))
            return nil
        }
        return values
    }

    private func isType(_ name: String) -> Bool {
        guard let types else { return ItemName.isType(name) }
        return types.contains(name)
    }
}
