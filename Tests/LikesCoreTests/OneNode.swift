import LikesStorage

@testable import LikesCore

// The one primary of Redis that most scenarios have.
extension Backend {
    static let redis = Backend.redis(0)
    static let subscriber = Backend.subscriber(0)
}

extension Core {
    var writableGeneration: Generation? { writableGeneration(0) }
    var readableGeneration: Generation? { readableGeneration(0) }
}

extension RedisAccess {
    var link: Link { self[0].link }
    var subscriber: Link { self[0].subscriber }
}

extension Coherence {
    var trust: Trust {
        get { self[0].trust }
        set { self[0].trust = newValue }
    }
    var heartbeat: Heartbeat { self[0].heartbeat }
    var tellings: Tellings {
        get { self[0].tellings }
        set { self[0].tellings = newValue }
    }
}
