import CPostgres
import LikesProtocol
import LikesSettings
import LikesStorage

extension DatabaseURL {
    /// Why libpq refuses a connection string, or misreads it, without its secrets; nil: it is right.
    package static func libpqProblem(with url: String) -> String? {
        var message: UnsafeMutablePointer<CChar>?
        let options = PQconninfoParse(url, &message)
        defer {
            PQconninfoFree(options)
            PQfreemem(message)
        }
        var option = options
        while let current = option, let keyword = current.pointee.keyword.map({ String(cString: $0) }) {
            option = current + 1
            guard let value = current.pointee.val.map({ String(cString: $0) }) else { continue }
            if let problem = misreading(of: keyword, value) { return problem }
        }
        guard options == nil else { return nil }
        let words = message.map { ForeignText.beginning(of: $0, ConnectRefusal.messageBytesMax) } ?? "out of memory"
        return ForeignText.shown(unquoted(words, about: url))
    }
}
