import ControlProtocol
import SystemPackage
import SystemSupport
import Testing

@Suite("The compilers' working directories")
struct CompilerDirectoriesTests {
  @Test("lie beside the store, one for each boot")
  func places() throws {
    let directories = CompilerDirectories(cacheDirectory: "/cache")
    #expect(directories.root == "/cache/compilers")
    let text = try SmallFile.contents("/proc/sys/kernel/random/boot_id")
    let boot = String(text.filter { $0 != "-" }.prefix(16))
    #expect(directories.boot == boot)
    #expect(directories.current == FilePath("/cache/compilers").appending(boot))
    #expect(CompilerDirectories(cacheDirectory: "/other").current == FilePath("/other/compilers").appending(boot))
  }
}
