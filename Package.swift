// swift-tools-version: 6.2
import PackageDescription

/// Settings of every Swift target: language mode 6 comes from the tools version. In CI warnings are errors.
let strict: [SwiftSetting] =
  (Context.environment["FABRIK_STRICT"] == nil ? [] : [.treatAllWarnings(as: .error)]) + [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
  ]

/// `fabrik` is started once per build and, through shims, once per tool: as a fully static program it starts as fast
/// as `/bin/true`; dynamic linking of the Swift runtime alone adds 1–3 ms. It uses nothing that needs dlopen or NSS.
let launcherLinking: [LinkerSetting] = [
  .unsafeFlags(["-static-executable", "-Xlinker", "-s"], .when(configuration: .release))
]

/// The server is exposed to other processes, so it stays position independent.
let serverLinking: [LinkerSetting] = [
  .unsafeFlags(["-Xlinker", "-s"], .when(configuration: .release))
]

let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")

func nio(_ product: String) -> Target.Dependency { .product(name: product, package: "swift-nio") }

/// The tests of one library.
func tests(of library: String, with others: Target.Dependency..., except files: [String] = []) -> Target {
  .testTarget(
    name: "\(library)Tests",
    dependencies: [.byName(name: library), "TestSupport", system]
      + (library == "SystemSupport" ? [] : ["SystemSupport"]) + others, exclude: files,
    swiftSettings: strict)
}

let package = Package(
  name: "fabrik",
  products: [
    .executable(name: "fabrik", targets: ["fabrik"]),
    .executable(name: "fabrik-server", targets: ["fabrik-server"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.100.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.6.0"),
    .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
  ],
  targets: [
    // The little C that Swift cannot express, and system libraries.
    .target(name: "CSpawn"),
    // Also a part of libfabrik-exec.so, which the Makefile builds: SwiftPM would link Swift's runtime into it.
    .target(name: "CExecPolicy"),
    // Also a part of libFabrikCAS.so, which the Makefile builds.
    .target(name: "CSHA256"),
    .target(name: "CStoreSupport"),
    .systemLibrary(name: "COpenSSL", providers: [.apt(["libssl-dev"])]),
    // Only libcurl's header is needed to build; the library is loaded when it is needed.
    .target(name: "CCurl"),

    // Libraries, lowest first.
    .target(name: "SystemSupport", dependencies: [system], swiftSettings: strict),
    .target(
      name: "ControlProtocol", dependencies: ["CStoreSupport", "SystemSupport", system], swiftSettings: strict),
    .target(
      name: "Configuration",
      dependencies: ["ControlProtocol", "SystemSupport", system, .product(name: "TOMLKit", package: "TOMLKit")],
      swiftSettings: strict),
    .target(name: "PeerRecords", dependencies: ["ControlProtocol", "SystemSupport", system], swiftSettings: strict),
    .target(name: "CacheStore", dependencies: ["CStoreSupport", "SystemSupport", system], swiftSettings: strict),
    .target(
      name: "BuildRecords", dependencies: ["CacheStore", "ControlProtocol", "SystemSupport", system],
      swiftSettings: strict),
    .target(
      name: "Cryptography", dependencies: ["CacheStore", "COpenSSL", "SystemSupport", system], swiftSettings: strict),
    .target(
      name: "ChannelSupport", dependencies: ["CacheStore", .product(name: "NIOCore", package: "swift-nio")],
      swiftSettings: strict),
    .target(
      name: "LayeredCache",
      dependencies: [
        "BuildRecords", "CacheStore", "ChannelSupport", "ControlProtocol", "SystemSupport", system,
        .product(name: "NIOCore", package: "swift-nio"),
      ],
      swiftSettings: strict),
    .target(
      name: "PeerNetwork",
      dependencies: [
        "CacheStore", "ChannelSupport", "ControlProtocol", "COpenSSL", "Cryptography", "DesktopBus", "Discovery",
        "LayeredCache", "PeerRecords", "SystemSupport", system,
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ],
      swiftSettings: strict),
    .target(
      name: "Upstreams",
      dependencies: [
        "CacheStore", "CCurl", "ChannelSupport", "ControlProtocol", "Cryptography", "LayeredCache", "SystemSupport",
        system,
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ],
      swiftSettings: strict),
    .target(
      name: "FrontEnds", dependencies: ["CacheStore", "ControlProtocol", "SystemSupport"], swiftSettings: strict),
    .target(
      name: "GoCacheProgram", dependencies: ["FrontEnds", "SystemSupport", system],
      swiftSettings: strict),
    // Talks to libdbus-1, which is loaded when it is needed and may be absent.
    .target(name: "DesktopBus", dependencies: ["SystemSupport", system], swiftSettings: strict),
    .target(name: "Discovery", dependencies: ["DesktopBus", "SystemSupport", system], swiftSettings: strict),
    .target(
      name: "CacheServer",
      dependencies: [
        "BuildRecords", "CacheStore", "ChannelSupport", "ControlProtocol", "Cryptography", "CSpawn", "FrontEnds",
        "LayeredCache", "PeerNetwork", "SystemSupport", "Upstreams", system,
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
      ],
      swiftSettings: strict),
    .target(
      name: "BuildTools", dependencies: ["CExecPolicy", "Configuration", "SystemSupport", system],
      swiftSettings: strict),
    .target(
      name: "BuildLauncher",
      dependencies: [
        "BuildTools", "CExecPolicy", "Configuration", "ControlProtocol", "CSHA256", "CSpawn",
        "SystemSupport", system,
      ],
      swiftSettings: strict),

    // Programs: parse, call, print.
    .executableTarget(
      name: "fabrik",
      dependencies: [
        "BuildLauncher", "BuildRecords", "BuildTools", "CSpawn", "CacheStore", "Configuration", "ControlProtocol",
        "GoCacheProgram", "PeerRecords", "SystemSupport", system,
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict, linkerSettings: launcherLinking),
    .executableTarget(
      name: "fabrik-server", dependencies: ["CacheServer", "SystemSupport"], swiftSettings: strict,
      linkerSettings: serverLinking),

    // Tests, in the libraries' order.
    .target(
      name: "TestSupport", dependencies: ["CacheStore", "COpenSSL", "DesktopBus", "SystemSupport", system],
      path: "Tests/TestSupport",
      swiftSettings: strict),
    .executableTarget(
      name: "store-writer", dependencies: ["CacheStore", "TestSupport", system], path: "Tests/StoreWriter",
      swiftSettings: strict),
    .executableTarget(
      name: "discovery-probe", dependencies: ["Discovery", "SystemSupport"], path: "Tests/DiscoveryProbe",
      swiftSettings: strict),
    .executableTarget(
      name: "notification-service", dependencies: ["DesktopBus", "SystemSupport"], path: "Tests/NotificationService",
      swiftSettings: strict),
    .executableTarget(
      name: "hostile-peer",
      dependencies: [
        "CacheStore", "Cryptography", "PeerNetwork", "PeerRecords", "SystemSupport", "TestSupport", system,
        .product(name: "NIOCore", package: "swift-nio"),
      ],
      path: "Tests/HostilePeer", swiftSettings: strict),
    tests(of: "SystemSupport"),
    tests(of: "ControlProtocol"),
    tests(of: "Configuration", with: "ControlProtocol"),
    tests(of: "PeerRecords", with: "ControlProtocol"),
    tests(of: "CacheStore", with: "store-writer"),
    tests(of: "BuildRecords", with: "CacheStore", "ControlProtocol"),
    tests(
      of: "LayeredCache",
      with: "BuildRecords", "CacheStore", "ControlProtocol", nio("NIOCore"), nio("NIOEmbedded"), nio("NIOPosix")),
    tests(of: "ChannelSupport", with: "CacheStore", nio("NIOCore"), nio("NIOEmbedded")),
    tests(of: "FrontEnds", with: "CacheStore", "ControlProtocol", except: ["Fixtures"]),
    tests(of: "GoCacheProgram", with: "FrontEnds"),
    tests(of: "Discovery", with: "DesktopBus", "discovery-probe"),
    tests(of: "DesktopBus", with: "notification-service"),
    tests(
      of: "PeerNetwork",
      with: "CacheStore", "ChannelSupport", "ControlProtocol", "Cryptography", "LayeredCache", "PeerRecords",
      nio("NIOCore"), nio("NIOEmbedded"), nio("NIOPosix")),
    tests(
      of: "Upstreams", with: "CacheStore", "ChannelSupport", "ControlProtocol", "Cryptography", "LayeredCache",
      nio("NIOCore"),
      nio("NIOPosix")),
    tests(
      of: "CacheServer",
      with: "BuildRecords", "CacheStore", "ChannelSupport", "ControlProtocol", "FrontEnds", "LayeredCache",
      nio("NIOCore"), nio("NIOEmbedded"), nio("NIOHTTP1"), nio("NIOPosix")),
    tests(of: "BuildTools", with: "Configuration"),
    tests(
      of: "BuildLauncher", with: "BuildTools", "CacheStore", "CExecPolicy", "Configuration", "ControlProtocol",
      "CSHA256"),
    // The built programs, as a user meets them.
    .testTarget(
      name: "IntegrationTests", dependencies: ["CacheStore", "SystemSupport", "TestSupport", "hostile-peer"],
      swiftSettings: strict),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .gnu11
)
