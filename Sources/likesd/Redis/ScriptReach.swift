/// How far a server's scripts reach.
struct ScriptReach {
    private(set) var style: RedisStyle
    /// False: none of the keys that were tried is on the node, so it did not show.
    private(set) var isKnown: Bool
    /// Why a script could not read a key that was not declared.
    private var refusal: String?

    init(isClusterNode: Bool = false) {
        style = isClusterNode ? .cluster : .oneServer
        isKnown = !isClusterNode
    }

    /// What became of a script that reads a key that is not declared, and then of one that reads the same key declared.
    /// Returns why the server is of no use, nil if it is.
    mutating func take(_ error: String?, isDeclared: Bool) -> String? {
        guard isDeclared else {
            refusal = error
            return nil
        }
        guard let error else {
            style = refusal == nil ? .cluster : .strictCluster
            isKnown = true
            return nil
        }
        return RedisError.isElsewhere(error) ? nil : error
    }
}
