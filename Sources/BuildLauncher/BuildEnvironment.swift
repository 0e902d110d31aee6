package import BuildTools
import Configuration
import SystemPackage
package import SystemSupport

/// The environment of the build: the user's, and what the tools need to find the cache.
package struct BuildEnvironment {
  package private(set) var environment: Environment
  /// What was set, or removed where the value is nil, in order; the PATH and preloaded
  /// libraries last.
  package private(set) var injected: [(name: String, value: String?)] = []
  package private(set) var wirings: [(tool: any BuildTool.Type, wiring: Wiring)] = []
  /// What a shell that takes this environment has to keep, so that an `exec` below it starts from the user's own.
  package var remembered: [(name: String, value: String)] {
    let originals = injected.map { Session.originalPrefix + $0.name }
    return ([Session.injectedVariable] + originals).compactMap { name in environment[name].map { (name, $0) } }
  }
  /// What there is to say of the tools: what was kept, left alone, or cannot be cached.
  var remarks: [(tool: any BuildTool.Type, isFailure: Bool, text: String)] {
    wirings.flatMap { tool, wiring in
      switch wiring.state {
      case .wired: wiring.kept.map { (tool, false, "\(tool.name): kept \($0)") }
      case .leftAlone(let reason): [(tool, false, "\(tool.name): left alone, \(reason)")]
      case .unavailable(let reason): [(tool, true, reason)]
      }
    }
  }
  /// What goes between COMMAND and its arguments.
  package var arguments: [String] { wirings.flatMap { $0.wiring.state == .wired ? $0.wiring.arguments : [] } }

  init(
    context: BuildContext, configuration: FabrikConfiguration, links: LinkDirectory
  ) {
    environment = context.environment
    var path: [[UInt8]] = []
    var preloads: [[UInt8]] = []
    for tool in BuildTools.all {
      guard configuration.isOn(tool: tool.name) else {
        wirings.append((tool, .leftAlone("switched off")))
        continue
      }
      let wiring = tool.wire(context)
      wirings.append((tool, wiring))
      guard wiring.state == .wired else { continue }
      // A tool whose files are missing would fail; one that is not told of them only asks nobody.
      let overlays = wiring.overlays.map { overlay in
        (
          variable: overlay.variable,
          path: context.use == .survey
            ? links.place(of: overlay, scratch: context.scratch)
            : links.path(for: overlay, scratch: context.scratch)
        )
      }
      guard context.use == .survey || wiring.files.allSatisfy(Self.write), overlays.allSatisfy({ $0.path != nil })
      else {
        wirings[wirings.count - 1].wiring = .unavailable("\(tool.name) is not cached: its files cannot be written")
        continue
      }
      let paths = overlays.map { Wiring.Variable($0.variable, $0.path?.string) }
      for variable in paths + wiring.variables { inject(variable.name, variable.value) }
      if let wanted = wiring.links, let directory = Self.directory(for: wanted, in: links, context) {
        if let variable = wanted.variable, let name = wanted.names.first {
          inject(variable, directory.appending(name).string)
        } else {
          path.append(directory.bytes)
        }
      }
      if !wiring.shims.isEmpty {
        let wanted = Wiring.Links(target: context.fabrik, names: wiring.shims)
        if let directory = Self.directory(for: wanted, in: links, context) { path.append(directory.bytes) }
      }
      if let library = wiring.preload?.bytes, !preloads.contains(library) { preloads.append(library) }
    }
    guard wirings.contains(where: { $0.wiring.state == .wired }) else { return }
    passProxiesBy()
    if !path.isEmpty {
      let rest = environment.bytes("PATH").map(Array.init) ?? CommandLookup.defaultPath
      let value = Array((path + [rest]).joined(separator: [UInt8(ascii: ":")]))
      environment.setBytes("PATH", value)
      injected.append(("PATH", String(decoding: value, as: UTF8.self)))
    }
    if !preloads.isEmpty {
      let users = environment.bytes(ExecLibrary.variable).map(Array.init).map { $0.isEmpty ? [] : [$0] } ?? []
      let value = Array((users + preloads).joined(separator: [UInt8(ascii: ":")]))
      environment.setBytes(ExecLibrary.variable, value)
      injected.append((ExecLibrary.variable, String(decoding: value, as: UTF8.self)))
    }
    let paths = (path + preloads).map { String(decoding: $0, as: UTF8.self) }
    let names = injected.map(\.name).filter { $0 != "PATH" && $0 != ExecLibrary.variable }
    Session.mark(&environment, injected: names + paths)
  }

  private static let proxyVariables = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
  private static let exceptionVariables = ["no_proxy", "NO_PROXY"]

  /// Keeps what is meant for the server on this machine, token and all, from a proxy that the user has set.
  private mutating func passProxiesBy() {
    guard Self.proxyVariables.contains(where: { environment.nonEmpty($0) != nil }) else { return }
    let known = Self.exceptionVariables.compactMap { environment.nonEmpty($0) }.first
    for name in Self.exceptionVariables {
      let exceptions = environment.nonEmpty(name) ?? known ?? ""
      let hosts = exceptions.split { $0 == "," || $0 == " " }
      guard !hosts.contains("127.0.0.1"), !hosts.contains("*") else { continue }
      inject(name, exceptions.isEmpty ? "127.0.0.1" : "\(exceptions),127.0.0.1")
    }
  }

  private mutating func inject(_ name: String, _ value: String?) {
    Session.inject(name, value, into: &environment)
    injected.append((name, value))
  }

  private static func write(_ file: Wiring.File) -> Bool {
    do {
      try FileSystem.makeDirectories(file.path.removingLastComponent(), permissions: 0o700)
      // What is the same in all builds keeps its date.
      if SmallFile.read(file.path) != file.text { try SmallFile.replace(file.path, with: file.text) }
      return true
    } catch {
      return false
    }
  }

  /// A home that cannot be written still leaves the runtime directory, where the links are lost at logout.
  private static func directory(
    for wanted: Wiring.Links, in links: LinkDirectory, _ context: BuildContext
  ) -> FilePath? {
    if context.use == .survey { return links.place(of: wanted) }
    return (try? links.path(for: wanted))
      ?? (try? LinkDirectory(root: context.scratch.appending("links")).path(for: wanted))
  }
}
