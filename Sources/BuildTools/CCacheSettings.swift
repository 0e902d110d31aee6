import SystemPackage
import SystemSupport

/// What the user's and the system's `ccache.conf` set. Source: ccache 4.x manual, "Location of the configuration file".
struct CCacheSettings {
  private var settings: [String: (file: FilePath, value: String)] = [:]
  /// The user's own file, if there is one.
  private var userFile: FilePath?

  init(_ context: BuildContext) {
    let environment = context.environment
    var files: [FilePath] = ["/etc/ccache.conf"]
    if let path = environment.absolutePath("CCACHE_CONFIGPATH") {
      files = [path]
    } else if let directory = environment.absolutePath("CCACHE_DIR") {
      files.append(directory.appending("ccache.conf"))
    } else if let home = environment.absolutePath("HOME") {
      files.append(home.appending(".ccache/ccache.conf"))
      if let config = environment.configurationDirectory { files.append(config.appending("ccache/ccache.conf")) }
    }
    for file in files {
      guard let text = context.host.read(file) else { continue }
      if file != "/etc/ccache.conf" { userFile = file }
      for line in text.split(whereSeparator: \.isNewline) {
        let parts = line.split(separator: "=", maxSplits: 1)
        guard parts.count == 2, !line.drop(while: \.isWhitespace).hasPrefix("#") else { continue }
        let value = parts[1].drop(while: \.isWhitespace)
        settings[parts[0].filter { !$0.isWhitespace }] = (file, String(value))
      }
    }
  }

  /// The file that sets the key; nil when none does.
  func place(of key: String) -> String? {
    settings[key]?.file.string
  }

  /// ccache fails the build when it cannot make files in its directory, as under a home that is read-only. Then it is
  /// given another directory; its configuration stays where it was.
  func writableDirectory(_ context: BuildContext) -> [Wiring.Variable] {
    let environment = context.environment
    guard let home = environment.absolutePath("HOME") else { return redirected(context) }
    let directory =
      environment["CCACHE_DIR"].map { FilePath($0) }
      ?? settings["cache_dir"].map { FilePath($0.value) }
      ?? (context.host.exists(home.appending(".ccache")) ? home.appending(".ccache") : nil)
      ?? (environment.absolutePath("XDG_CACHE_HOME") ?? home.appending(".cache")).appending("ccache")
    return context.host.canWrite(in: directory) ? [] : redirected(context)
  }

  private func redirected(_ context: BuildContext) -> [Wiring.Variable] {
    [.init("CCACHE_DIR", context.scratch.appending("ccache").string)]
      + (userFile.map { [.init("CCACHE_CONFIGPATH", $0.string)] } ?? [])
  }
}
