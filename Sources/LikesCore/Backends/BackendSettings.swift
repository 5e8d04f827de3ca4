import LikesSettings

extension Configuration {
    /// The advice after an attempt to connect got no answer: packets get lost on the way to the server, or in it.
    package func unanswered(_ backend: Backend, isClusterNode: Bool = false) -> String {
        if isClusterNode { return "check that node, and IPAddressAllow= of \(places.unit).service" }
        if case .sentinels = redis.topology, backend.isRedis {
            return "check the server that the Sentinels name, and IPAddressAllow= of \(places.unit).service"
        }
        let setting: Setting =
            switch backend {
            case .redis, .subscriber: .redisURL
            case .lane, .reader: .databaseURL
            case .standby: .databaseReplicaURLs
            }
        return "check host and port of \(places.text(of: setting)), and IPAddressAllow= of \(places.unit).service"
    }
}
