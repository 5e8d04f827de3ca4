/// What `verify` found in PostgreSQL.
struct DatabaseSums {
    var items: Int64 = 0
    var likes: Int64 = 0
    var passes: Int64 = 0
    /// Items that changed too often to be compared in the time allowed.
    var undecided: Int64 = 0
    var countersDiffering: Int64 = 0
    var likesTwice: Int64 = 0
    var misfits: Int64 = 0
    /// Items of each type that `item_types` does not name.
    var unnamed: [Int16: Int64] = [:]
    /// Those of them that had a name, or were written to behind likesd's back.
    var unnamedDiffering: Set<Int16> = []
    /// The reference service may write to the tables as well.
    var isSideBySide = false
    /// Why likes and counters were not compared.
    var trouble: Warning?

    /// What no `--repair` mends.
    var byHand: Int64 { misfits + Int64(unnamedDiffering.count) }
    var differing: Int64 { countersDiffering + likesTwice + byHand }
}

/// What `verify` found in Redis.
struct RedisSums {
    var compared: Int64 = 0
    var differing: Int64 = 0
    var oldGeneration: Int64 = 0
    var foreign: Int64 = 0
    var awaitingRepair: Int64 = 0
    /// Why Redis was not checked, or not all of it.
    var trouble: Warning?
}
