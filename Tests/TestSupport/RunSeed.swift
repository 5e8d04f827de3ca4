import Glibc

/// LIKESD_SEED repeats a run that failed; without it every run is another one.
package func runSeed() -> UInt64 {
    let given = getenv("LIKESD_SEED").flatMap { UInt64(String(cString: $0)) }
    let seed = given ?? UInt64.random(in: .min ... .max)
    print("LIKESD_SEED=\(seed)")
    return seed
}
