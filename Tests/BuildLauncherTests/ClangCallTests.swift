import Testing

@testable import BuildLauncher

@Suite("A call of the clang of Swift's toolchain") struct ClangCallTests {
  @Test(
    "may come from the cache when it compiles one file",
    arguments: [
      "-c a.c -o a.o", "-O2 -DNAME=1 -c a.cpp", "-g -c /src/a.c -o a.o -MD -MF a.d", "-c /src/a.cc",
      "-g0 -c a.c",
    ])
  func cacheable(arguments: String) {
    #expect(ClangCall.isCacheable(arguments.split(separator: " ").map(String.init)) { _ in "int a;" })
  }

  @Test(
    "stays as it is otherwise",
    arguments: [
      "", "a.c -o a", "-c a.c b.c", "-c a.s", "-c a.o", "-E -c a.c", "-c a.c -fmodules", "-c a.c -save-temps=obj",
      "-c a.c --coverage", "-c -x c -", "-c a.c -o -", "-c a.c @more", "-c a.c -Xclang -emit-pch",
      // The directory that the path is relative to would be lost.
      "-g -c a.c", "-gdwarf-4 -c src/a.c",
    ])
  func plain(arguments: String) {
    #expect(!ClangCall.isCacheable(arguments.split(separator: " ").map(String.init)) { _ in "int a;" })
  }

  @Test(
    "stays as it is when the source reads what the cache does not see",
    arguments: ["asm(\".incbin \\\"data\\\"\");", "INCBIN(data, \"data\");", "#embed \"data\"", "char t[] = __TIME__;"])
  func hiddenInputs(source: String) {
    #expect(!ClangCall.isCacheable(["-c", "a.c"]) { _ in source })
    #expect(!ClangCall.isCacheable(["-c", "a.c"]) { _ in nil })
  }
}
