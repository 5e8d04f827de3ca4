/// A message that says behind it what to do: `what happened; next: what to do`. likesctl takes the two apart again, and
/// somebody may run what it calls the next step. So no foreign text may contain the mark.
package enum NextStep {
    private static let mark = "; next: "
    /// Foreign text may not even contain the mark's beginning: a message may go on with the rest of it.
    private static let markBegun = "; next"
    private static let markDisarmed = ", next"

    /// The message alone if nothing is known to do.
    package static func joined(_ message: String, _ next: String?) -> String {
        next.map { message + mark + $0 } ?? message
    }

    /// What `joined` joined. Only for messages whose foreign parts came through `ForeignText` or `Quoting`.
    package static func parted(_ text: String) -> (message: String, next: String?) {
        // By scalars, here as below: as a character, a blank with an accent would be no blank.
        let scalars = text.unicodeScalars
        guard let place = scalars.firstRange(of: mark.unicodeScalars) else { return (text, nil) }
        return (String(scalars[..<place.lowerBound]), String(scalars[place.upperBound...]))
    }

    /// Foreign text without the mark, as long as it was.
    package static func disarmed(_ foreign: String) -> String {
        String(foreign.unicodeScalars.replacing(markBegun.unicodeScalars, with: markDisarmed.unicodeScalars))
    }
}
