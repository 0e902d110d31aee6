import Testing

@testable import BuildLauncher

@Suite("sccache, as a build finds it")
struct SccacheShimTests {
  @Test(
    "hides from Meson",
    arguments: [
      "/usr/bin/python3 /usr/bin/meson setup build", "/usr/bin/python3 -m mesonbuild.mesonmain setup build",
      "meson setup build", "python3 -I /src/meson/meson.py build",
      "python3 /usr/bin/meson setup --cross-file other.ini build",
    ])
  func meson(line: String) {
    #expect(SccacheShim.isMesonInDoubt(line.split(separator: " ").map(String.init)) { _ in "c = 'gcc'" })
  }

  @Test(
    "does not from others, nor from a Meson that is told to use it",
    arguments: [
      "sh -c x", "/usr/bin/python3 build.py", "cargo build", "", "/usr/bin/mesonx setup",
      "/usr/bin/python3 /usr/bin/meson setup --native-file native.ini build",
      "/usr/bin/python3 /usr/bin/meson setup build --cross-file=cross.ini",
    ])
  func others(line: String) {
    #expect(!SccacheShim.isMesonInDoubt(line.split(separator: " ").map(String.init)) { _ in "c = ['sccache', 'gcc']" })
  }
}
