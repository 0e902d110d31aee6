import CExecPolicy
import SystemSupport
import Testing

@testable import BuildLauncher

@Suite("What is preloaded")
struct PreloadTests {
  @Test(
    "loses the library, and nothing else",
    arguments: [
      ("libfabrik-exec.so", ""), ("/x/libfabrik-exec.so", ""), ("/a.so:/x/libfabrik-exec.so", "/a.so"),
      ("/x/libfabrik-exec.so:/a.so", "/a.so"), ("/a.so /x/libfabrik-exec.so /b.so", "/a.so /b.so"),
      ("/x/libfabrik-exec.so:/y/libfabrik-exec.so", ""), ("", ""), ("/a.so", "/a.so"), ("/a.so:b.so", "/a.so:b.so"),
      ("/libfabrik-exec.so/a.so", "/libfabrik-exec.so/a.so"), ("/xlibfabrik-exec.so", "/xlibfabrik-exec.so"),
      ("/a.so::/x/libfabrik-exec.so:", "/a.so:"),
    ])
  func withoutLibrary(value: String, expected: String) {
    var copy = [CChar](repeating: 1, count: value.utf8.count + 1)
    let length = fabrik_without_library(value, &copy)
    #expect(String(decoding: copy.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self) == expected)
    #expect(copy[length] == 0)
  }

  private static let library = "/opt/fabrik/libfabrik-exec.so"

  @Test(
    "of an earlier session is removed with all that it injected; the user's libraries stay",
    arguments: [
      ("\(library)", nil), ("/mine.so:\(library)", "/mine.so"), ("/a.so /b.so:\(library)", "/a.so:/b.so"),
      ("/mine.so", "/mine.so"), ("/a.so /b.so", "/a.so /b.so"),
    ] as [(String, String?)])
  func clean(preloaded: String, expected: String?) {
    var environment = Environment([
      "PATH": "/links:/usr/bin", "LD_PRELOAD": preloaded, "FABRIK_EXEC": "/usr/bin/ccache:", "FABRIK_SESSION": "1",
      "FABRIK_INJECTED": "FABRIK_EXEC:/links:\(Self.library)", "OTHER": "1",
    ])
    Session.clean(&environment)
    var kept = Environment(["PATH": "/usr/bin"])
    if let expected { kept["LD_PRELOAD"] = expected }
    kept["OTHER"] = "1"
    #expect(environment == kept)
  }
}
