import Testing

@testable import BuildTools

@Suite("Names of compilers")
struct CompilerNameTests {
  @Test(
    "of C and C++",
    arguments: [
      "cc", "c++", "gcc", "g++", "clang", "clang++", "gcc-12", "g++-12", "clang-17", "clang++-17", "gcc-4.9",
      "x86_64-linux-gnu-gcc", "x86_64-linux-gnu-g++-12", "aarch64-elf-gcc", "arm-none-eabi-g++", "i686-w64-mingw32-cc",
    ])
  func compiler(name: String) {
    #expect(CompilerName.isCompiler(name))
  }

  @Test(
    "of other programs",
    arguments: [
      "", "-", "ccache", "c", "gcc-", "-gcc", "--gcc", "gcc-ar", "gcc-ar-12", "gcc-nm", "gcov", "clang-format",
      "clang-tidy-17",
      "clangd", "clang-cpp", "clang-cl", "cc1", "cc1plus", "c++filt", "c89-gcc", "afl-gcc", "musl-gcc", "distcc",
      "nvcc",
      "rustc", "gcc-12.sh", "GCC", "gcc 12", "x86_64--gcc", "12", "gcc-v12", "tcc", "/usr/bin/gcc",
    ])
  func other(name: String) {
    #expect(!CompilerName.isCompiler(name))
  }
}
