import LikesCore

/// Something that happened, kept as it was.
package struct Note: Sendable {
    package enum What: Sendable {
        case performed(Int, Action)
        case heard(Int, ToHost)
        case fault(Fault)
        /// Operations by their place.
        case asked(Int)
        case answered(Int)
    }
    package var at: Micros
    package var what: What
}
