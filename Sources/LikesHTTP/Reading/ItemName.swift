import LikesProtocol

/// An item by the name of its type, as requests and answers have it.
package struct ItemName: Hashable, Sendable {
    /// For requests that name no type.
    static let typeOtherwise = "post"

    package var type: String
    package var id: Int64

    package init(type: String, id: Int64) {
        self.type = type
        self.id = id
    }

    /// Of `post:456`, as likesd tells it; nil: that is something else.
    init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let id = Int64(text[text.index(after: colon)...]), id >= 0 else {
            return nil
        }
        self.init(type: String(text[..<colon]), id: id)
    }

    /// `post:456`, in likesd's protocol and as a name in JSON.
    package var text: String { "\(type):\(id)" }

    /// Whether likesd may have a type of this name.
    static func isType(_ name: String) -> Bool {
        do throws(ItemTypesError) {
            _ = try ItemTypes([name])
            return true
        } catch {
            return false
        }
    }
}
