import LikesJSON

/// One thing that is wrong with a request, in the words and with the names of the service that likesd replaces: its
/// callers know them.
package struct Issue: Sendable {
    /// A step on the way to the wrong value: a name, or a place in a list.
    package enum Step: Equatable, Sendable {
        case name(String)
        case place(Int)
    }

    /// Bytes of a wrong value that are repeated to the client. Longer ones it has itself.
    static let inputBytesMax = 1_024

    package var type: String
    package var location: [Step]
    package var message: String
    /// The wrong value; nil: there is none, or it is long.
    private var input: JSON?
    private var context: [(name: String, value: JSON)]

    init(
        _ type: String, at location: [Step], _ message: String, input: JSON?,
        context: [(name: String, value: JSON)] = []
    ) {
        self.type = type
        self.location = location
        self.message = message
        var room = Self.inputBytesMax
        self.input = input.flatMap { Self.fits($0, &room) ? $0 : nil }
        self.context = context
    }

    package var json: JSON {
        var members: [(name: String, value: JSON)] = [
            ("type", .string(type)),
            (
                "loc",
                .array(
                    location.map { step in
                        switch step {
                        case .name(let name): .string(name)
                        case .place(let place): .integer(Int64(place))
                        }
                    })
            ),
            ("msg", .string(message)),
        ]
        if let input { members.append(("input", input)) }
        if !context.isEmpty { members.append(("ctx", .object(context))) }
        return .object(members)
    }

    /// Whether the value is short; it looks no further than that takes.
    private static func fits(_ value: JSON, _ room: inout Int) -> Bool {
        switch value {
        case .null, .bool, .integer, .number: room -= 8
        case .numeral(let text), .string(let text): room -= text.utf8.count + 2
        case .array(let values):
            room -= 2
            for value in values where room > 0 { _ = fits(value, &room) }
        case .object(let members):
            room -= 2
            for member in members where room > 0 {
                room -= member.name.utf8.count + 4
                _ = fits(member.value, &room)
            }
        }
        return room > 0
    }
}

extension Issue: Equatable {
    package static func == (one: Issue, other: Issue) -> Bool { one.json.bytes == other.json.bytes }
}

// MARK: The kinds

extension Issue {
    static func missing(at location: [Step], in whole: JSON?) -> Issue {
        Issue("missing", at: location, "Field required", input: whole ?? .null)
    }

    static func notJSON(_ fault: JSONReader.Fault) -> Issue {
        Issue(
            "json_invalid", at: [.name("body"), .place(fault.offset)], "JSON decode error", input: .object([]),
            context: [("error", .string(fault.reason))])
    }

    static func notAnObject(at location: [Step], _ value: JSON?) -> Issue {
        Issue(
            "model_attributes_type", at: location,
            "Input should be a valid dictionary or object to extract fields from", input: value)
    }

    static func notAList(at location: [Step], _ value: JSON) -> Issue {
        Issue("list_type", at: location, "Input should be a valid list", input: value)
    }

    static func notAnInteger(at location: [Step], _ value: JSON) -> Issue {
        Issue("int_type", at: location, "Input should be a valid integer", input: value)
    }

    static func notANumber(at location: [Step], _ text: String) -> Issue {
        Issue(
            "int_parsing", at: location, "Input should be a valid integer, unable to parse string as an integer",
            input: .string(text))
    }

    static func fraction(at location: [Step], _ value: JSON) -> Issue {
        Issue(
            "int_from_float", at: location, "Input should be a valid integer, got a number with a fractional part",
            input: value)
    }

    static func tooSmall(at location: [Step], _ value: JSON, least: Int64) -> Issue {
        Issue(
            "greater_than_equal", at: location, "Input should be greater than or equal to \(least)", input: value,
            context: [("ge", .integer(least))])
    }

    static func tooGreat(at location: [Step], _ value: JSON, greatest: Int64) -> Issue {
        Issue(
            "less_than_equal", at: location, "Input should be less than or equal to \(greatest)", input: value,
            context: [("le", .integer(greatest))])
    }

    /// The place behind which a page is wanted.
    static func notAnItem(at location: [Step], _ text: String) -> Issue {
        Issue(
            "value_error", at: location, "Input should be an item, as in 'post:456': the 'next' of the page before",
            input: .string(text))
    }

    /// `types`: those that there are; nil: they are not known, but the text is not the name of one.
    static func notAType(at location: [Step], _ value: JSON, types: [String]?) -> Issue {
        let words = types.map(alternatives) ?? "the name of an item type, such as 'post'"
        return Issue(
            "literal_error", at: location, "Input should be \(words)", input: value,
            context: [("expected", .string(words))])
    }

    /// What likesd itself refused: its item types have changed.
    static func refused(at location: [Step], _ message: String) -> Issue {
        Issue("value_error", at: location, message, input: nil)
    }

    private static func alternatives(_ types: [String]) -> String {
        let quoted = types.map { "'\($0)'" }
        guard let last = quoted.last, quoted.count > 1 else { return quoted.joined() }
        return quoted.dropLast().joined(separator: ", ") + " or " + last
    }
}
