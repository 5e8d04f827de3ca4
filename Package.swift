// swift-tools-version: 6.1
import PackageDescription

let strict: [SwiftSetting] = [.swiftLanguageMode(.v6)]
// Tests are compiled once for each time they run: optimising them takes longer than it saves.
let unoptimised = strict + [.unsafeFlags(["-Onone"])]
// Read-only once started: all that the linker resolves.
let hardened: [LinkerSetting] = [
    .unsafeFlags(["-Xlinker", "-z", "-Xlinker", "relro", "-Xlinker", "-z", "-Xlinker", "now"])
]
// libpq is to find likesd's recv(2), not the C library's.
let ownReceive = LinkerSetting.unsafeFlags(["-Xlinker", "--export-dynamic-symbol=recv"])

let package = Package(
    name: "likesd",
    products: [
        .library(name: "LikesProtocol", targets: ["LikesProtocol"]),
        .library(name: "LikesClient", targets: ["LikesClient"]),
        .executable(name: "likesd", targets: ["likesd"]),
        .executable(name: "likesctl", targets: ["likesctl"]),
        .executable(name: "likes-http", targets: ["likes-http"]),
    ],
    targets: [
        // The wire: requests, replies, framing. Imports nothing.
        .target(name: "LikesProtocol", swiftSettings: strict),
        // A client of the socket: for one request, and for many at once.
        .target(name: "LikesClient", dependencies: ["LikesProtocol"], swiftSettings: strict),
        // JSON, written and read.
        .target(name: "LikesJSON", dependencies: ["LikesProtocol"], swiftSettings: strict),
        // The settings: what they may be, and how a configuration is read. Imports LikesProtocol alone.
        .target(name: "LikesSettings", dependencies: ["LikesProtocol"], swiftSettings: strict),
        // Seeded random numbers. Imports nothing.
        .target(name: "LikesRandom", swiftSettings: strict),
        // PostgreSQL and Redis as likesd and likesctl both know them: tables, servers, keys, seals, advice.
        .target(name: "LikesStorage", dependencies: ["LikesProtocol", "LikesSettings"], swiftSettings: strict),
        // The host as both programs ask it: files, the environment, who runs them; and libpq about URLs.
        .target(
            name: "LikesHost", dependencies: ["LikesProtocol", "LikesSettings", "LikesStorage", "CLinux", "CPostgres"],
            swiftSettings: strict),
        // Every decision, without I/O.
        .target(
            name: "LikesCore", dependencies: ["LikesProtocol", "LikesRandom", "LikesSettings", "LikesStorage"],
            swiftSettings: strict),
        // The system libraries, from Debian's -dev packages.
        .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
        .systemLibrary(
            name: "CMicrohttpd", pkgConfig: "libmicrohttpd", providers: [.apt(["libmicrohttpd-dev"])]),
        .systemLibrary(name: "CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),
        .systemLibrary(name: "CLinux"),
        // What a crash says of what was being read; its handler has to be C.
        .target(name: "CCrash"),
        // recv(2) with a limit, which libpq lacks.
        .target(name: "CReceive"),
        // The daemon: sockets, Redis, PostgreSQL, systemd. Runs the core's actions.
        .executableTarget(
            name: "likesd",
            dependencies: [
                "LikesCore", "LikesHost", "LikesProtocol", "LikesSettings", "LikesStorage", "CCrash", "CHiredis",
                "CLinux",
                "CPostgres", "CReceive", "CSystemd",
            ],
            swiftSettings: strict, linkerSettings: hardened + [ownReceive]),
        // What likesctl can be told, in one table: parser, help, completions and manual come from it.
        .target(
            name: "LikesctlCommands",
            dependencies: ["LikesJSON", "LikesProtocol", "LikesSettings", "LikesStorage"],
            swiftSettings: strict),
        // The companion command.
        .executableTarget(
            name: "likesctl",
            dependencies: [
                "LikesClient", "LikesHost", "LikesJSON", "LikesProtocol", "LikesRandom", "LikesSettings",
                "LikesStorage",
                "LikesctlCommands", "CHiredis", "CLinux", "CPostgres",
            ],
            swiftSettings: strict, linkerSettings: hardened),
        // The HTTP interface, without I/O: what a request means, what likesd is asked, what the response is.
        .target(name: "LikesHTTP", dependencies: ["LikesJSON", "LikesProtocol"], swiftSettings: strict),
        // The gateway: clients over HTTP, likesd over its socket.
        .executableTarget(
            name: "likes-http",
            dependencies: [
                "LikesClient", "LikesHTTP", "LikesHost", "LikesProtocol", "LikesSettings", "CLinux", "CMicrohttpd",
                "CSystemd",
            ],
            swiftSettings: strict, linkerSettings: hardened),
        // Writes the parts of manuals, documents and completions that come from tables; not installed.
        .executableTarget(
            name: "likes-docs", dependencies: ["LikesProtocol", "LikesSettings", "LikesctlCommands"],
            swiftSettings: strict),
        .testTarget(name: "LikesProtocolTests", dependencies: ["LikesProtocol"], swiftSettings: unoptimised),
        .testTarget(
            name: "LikesClientTests", dependencies: ["LikesClient", "LikesProtocol"], swiftSettings: unoptimised),
        .testTarget(name: "LikesJSONTests", dependencies: ["LikesJSON"], swiftSettings: unoptimised),
        .testTarget(
            name: "LikesHTTPTests", dependencies: ["LikesHTTP", "LikesJSON", "LikesProtocol"],
            swiftSettings: unoptimised),
        .testTarget(
            name: "LikesSettingsTests", dependencies: ["LikesSettings", "LikesProtocol"], swiftSettings: unoptimised),
        .testTarget(
            name: "LikesStorageTests", dependencies: ["LikesStorage", "LikesSettings", "LikesProtocol"],
            swiftSettings: unoptimised),
        .testTarget(
            name: "LikesCoreTests",
            dependencies: [
                "LikesCore", "LikesRandom", "LikesStorage", "LikesSettings", "LikesProtocol", "TestSupport",
            ],
            swiftSettings: unoptimised),
        // Many hosts and every failure in virtual time; a library, so that `simulate` is built without the tests.
        .target(
            name: "LikesSimulation",
            dependencies: ["LikesCore", "LikesRandom", "LikesStorage", "LikesSettings", "LikesProtocol"],
            path: "Tests/LikesSimulation", swiftSettings: strict),
        .executableTarget(
            name: "simulate", dependencies: ["LikesCore", "LikesSimulation"], path: "Tests/Simulate",
            swiftSettings: strict),
        .testTarget(
            name: "LikesSimulationTests",
            dependencies: [
                "likesd", "LikesCore", "LikesStorage", "LikesSettings", "LikesProtocol", "LikesSimulation",
                "TestSupport",
            ],
            swiftSettings: unoptimised),
        // What the daemon says to Redis and PostgreSQL, held against real ones.
        .testTarget(
            name: "LikesdTests",
            dependencies: [
                "likesd", "LikesCore", "LikesHost", "LikesRandom", "LikesStorage", "LikesSettings", "LikesProtocol",
                "CPostgres", "CReceive", "TestSupport",
            ],
            swiftSettings: unoptimised, linkerSettings: [ownReceive]),
        // What the companion command decides without a daemon.
        .testTarget(
            name: "LikesctlTests",
            dependencies: ["likesctl", "LikesctlCommands", "LikesProtocol", "LikesRandom", "TestSupport"],
            swiftSettings: unoptimised),
        // What `scripts/fuzz` gives random bytes to; here each input in its corpus is tried once.
        .testTarget(
            name: "FuzzTests",
            dependencies: [
                "likesd", "LikesCore", "LikesHTTP", "LikesJSON", "LikesProtocol", "LikesSettings", "LikesStorage",
                "CPostgres",
            ],
            path: "Tests/Fuzz", exclude: ["Corpus"], swiftSettings: unoptimised, linkerSettings: [ownReceive]),
        // Real servers for tests, and what several of them need. It has no tests, but only a test target sees inside
        // the daemon in every kind of build.
        .testTarget(
            name: "TestSupport", dependencies: ["likesd", "LikesCore", "LikesProtocol", "CHiredis"],
            swiftSettings: unoptimised),
    ]
)

// The sanitizers run some of the tests, and building the others would take minutes. What is left out are those that are
// not named, and what only they need.
if let built = Context.environment["LIKESD_TESTS_BUILT"]?.split(separator: " ") {
    package.targets.removeAll { target in
        target.type == .test
            ? !built.contains { $0 == target.name }
            : ["LikesSimulation", "simulate", "likes-docs"].contains(target.name)
    }
}
