import CExecPolicy

/// Names of C and C++ compilers: plain, with a version behind (`gcc-12`), with a target before (`x86_64-linux-gnu-g++`).
/// The library that sees compilers which are called by their paths has the same code.
enum CompilerName {
  static func isCompiler(_ name: String) -> Bool { fabrik_is_compiler_name(name) }
}
