import Glibc
import SystemPackage
import SystemSupport

/// sccache, but for Meson: it asks for the version of sccache before that of ccache, and takes the one that answers first.
/// Source: `BinaryTable.detect_compiler_cache` in Meson's envconfig.py.
enum SccacheShim {
  static func run(arguments: [[UInt8]], environment: Environment) -> Never {
    if arguments.dropFirst().elementsEqual([Array("--version".utf8)]),
      let caller = commandLine(of: getppid()), isMesonInDoubt(caller)
    {
      exit(1)
    }
    ShimCall(arguments: arguments, environment: environment).run()
  }

  /// Whether these words call Meson, and none of its files of settings names sccache.
  static func isMesonInDoubt(_ words: [String], read: (FilePath) -> String? = { SmallFile.read($0) }) -> Bool {
    // The program, or what Python runs.
    guard words.prefix(4).contains(where: isMeson) else { return false }
    let options = ["--native-file", "--cross-file"]
    let files = words.indices.compactMap { index -> String? in
      if index > 0, options.contains(words[index - 1]) { return words[index] }
      return options.first { words[index].hasPrefix("\($0)=") }.map { String(words[index].dropFirst($0.count + 1)) }
    }
    return !files.contains { read(FilePath($0))?.contains("sccache") == true }
  }

  private static func isMeson(_ word: String) -> Bool {
    let name = word.split(separator: "/").last ?? ""
    return name == "meson" || name == "meson.py" || name.hasPrefix("mesonbuild")
  }

  private static func commandLine(of process: pid_t) -> [String]? {
    SmallFile.read(FilePath("/proc/\(process)/cmdline"))?.split(separator: "\0").map(String.init)
  }
}
