import SystemPackage

/// C and C++ packages through vcpkg's binary caching.
package enum Vcpkg: BuildTool {
  package static let name = "vcpkg"
  package static let purpose = "C and C++ packages"
  package static let namespaces = ["vcpkg"]

  package static func isDriven(by command: String) -> Bool { command == "vcpkg" }

  package static func wire(_ context: BuildContext) -> Wiring {
    if let variable = context.firstSet(of: "VCPKG_BINARY_SOURCES") { return .leftAlone("\(variable) is set") }
    var wiring = Wiring()
    wiring.program = context.host.find(name)?.string
    // Beside vcpkg's own archives: `clear` would take those away.
    wiring.variables = [
      .init(
        "VCPKG_BINARY_SOURCES",
        "http,\(context.endpoints.address("/vcpkg"))/{sha},readwrite,Authorization: Bearer \(context.endpoints.httpToken)"
      )
    ]
    wiring.silenceHint = "vcpkg asked for no cached packages; its own archives come first"
    return wiring
  }
}
