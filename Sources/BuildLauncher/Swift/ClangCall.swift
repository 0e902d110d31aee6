import SystemPackage
import SystemSupport

/// One call of the clang of Swift's toolchain: whether its cache may know the result.
enum ClangCall {
  /// What makes a call something else than the compilation of a file, or something that the cache does not do as well:
  /// Modules it refuses, with a word of its own; some files it does not write; what is compiled for several purposes at
  /// once it never saw.
  private static let exclusions: Set<String> = [
    "-E", "-S", "-M", "-MM", "-fsyntax-only", "-", "-fmodules", "-fcxx-modules", "-save-temps", "--coverage",
    "-ftest-coverage", "-fprofile-arcs", "-emit-llvm", "-emit-ast", "-emit-pch", "-gsplit-dwarf", "-include-pch", "-v",
    "-###", "-ftime-trace", "-fcrash-diagnostics-all", "--analyze", "-o-", "-cc1",
    "-fstack-usage",
  ]
  private static let prefixes = [
    "-save-temps=", "-fplugin=", "-fpass-plugin=", "-x", "-fsave-optimization-record", "-foptimization-record-file",
    "-fcallgraph-info", "@",
  ]
  /// What a source may have in it that the cache does not see, or warns of: files that the assembler or the preprocessor
  /// reads, also by a macro of such a name, and the time.
  private static let words = ["incbin", "embed", "__time", "__date__"]
  private static let suffixes = [".c", ".cc", ".cpp", ".cxx", ".C", ".c++"]

  /// - Parameters:
  ///   - arguments: without the compiler.
  ///   - read: the content of a source.
  static func isCacheable(_ arguments: [String], read: (FilePath) -> String? = { SmallFile.read($0) }) -> Bool {
    var sources: [String] = []
    var before = ""
    var hasDebugInformation = false
    for argument in arguments {
      defer { before = argument }
      // What is for the preprocessor, the assembler or another part is none of the driver's.
      if before == "-Xclang" || before == "-o" && argument == "-" { return false }
      if exclusions.contains(argument) || prefixes.contains(where: argument.hasPrefix) { return false }
      if argument.hasPrefix("-g"), argument != "-g0" { hasDebugInformation = true }
      if !argument.hasPrefix("-"), before != "-o", before != "-MF", suffixes.contains(where: argument.hasSuffix) {
        sources.append(argument)
      }
    }
    guard arguments.contains("-c"), sources.count == 1, let source = sources.first else { return false }
    guard let text = read(FilePath(source))?.lowercased(), !Self.words.contains(where: text.contains) else {
      return false
    }
    // Debug information of a source with a relative path is left without the directory it is relative to.
    return source.hasPrefix("/") || !hasDebugInformation
  }
}
