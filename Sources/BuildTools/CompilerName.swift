/// Names of C and C++ compilers: plain, with a version behind (`gcc-12`), with a target before (`x86_64-linux-gnu-g++`).
enum CompilerName {
  private static let families: Set<Substring> = ["cc", "c++", "gcc", "g++", "clang", "clang++"]

  static func isCompiler(_ name: String) -> Bool {
    var parts = name.split(separator: "-", omittingEmptySubsequences: false)
    if parts.count > 1, let version = parts.last, isVersion(version) { parts.removeLast() }
    guard let family = parts.popLast(), families.contains(family) else { return false }
    // A target has at least two parts (`aarch64-elf-gcc`); `afl-gcc` or `musl-gcc` are wrappers with a mind of their own.
    return parts.isEmpty || (parts.count >= 2 && parts.allSatisfy { !$0.isEmpty })
  }

  private static func isVersion(_ text: Substring) -> Bool {
    text.first?.isNumber == true && text.allSatisfy { $0.isNumber || $0 == "." }
  }
}
