import SystemPackage
import SystemSupport
import Testing

@Suite("An environment")
struct EnvironmentTests {
  private static let odd: [[UInt8]] = [
    Array("A=1".utf8), [0x42, 0x3d, 0xff, 0xfe], Array("A=2".utf8), Array("no equals sign".utf8), Array("=x".utf8),
    Array("AB=3".utf8), Array("EMPTY=".utf8), Array("P=a=b".utf8),
  ]

  @Test("passes through a block as execve takes it unchanged, odd entries and duplicates included")
  func roundTrip() {
    let copy = Environment(entries: Self.odd).withBlock { Environment(block: UnsafeMutablePointer(mutating: $0)) }
    #expect(copy.entries == Self.odd)
    #expect(Environment().withBlock { Environment(block: UnsafeMutablePointer(mutating: $0)) }.entries.isEmpty)
  }

  @Test(
    "finds a value by its whole name; of two, the first",
    arguments: [
      ("A", "1"), ("AB", "3"), ("EMPTY", ""), ("P", "a=b"), ("B", "\u{fffd}\u{fffd}"), ("C", nil),
      ("no equals sign", nil),
    ] as [(String, String?)])
  func lookup(name: String, value: String?) {
    #expect(Environment(entries: Self.odd)[name] == value)
  }

  @Test("keeps bytes that are not UTF-8")
  func bytes() {
    #expect(Environment(entries: Self.odd).bytes("B").map(Array.init) == [0xff, 0xfe])
    var environment = Environment()
    environment.setBytes("X", [0x80, 0x3d])
    #expect(environment.entries == [[0x58, 0x3d, 0x80, 0x3d]])
  }

  @Test("replaces all of a name at the place of the first, and nothing else")
  func replace() {
    var environment = Environment(entries: Self.odd)
    environment["A"] = "new"
    var expected = Self.odd
    expected[0] = Array("A=new".utf8)
    expected.remove(at: 2)
    #expect(environment.entries == expected)
  }

  @Test("appends a new name, and removes one altogether")
  func appendAndRemove() {
    var environment = Environment(["A": "1", "B": "2", "A": "3"])
    environment["C"] = "4"
    environment["A"] = nil
    environment["NONE"] = nil
    #expect(environment == Environment(["B": "2", "C": "4"]))
  }

  @Test(
    "gives only absolute paths as such",
    arguments: [("/a/b", "/a/b"), ("a", nil), ("", nil), ("./a", nil), ("~/a", nil)] as [(String, FilePath?)])
  func absolutePath(text: String, path: FilePath?) {
    #expect(Environment(["P": text]).absolutePath("P") == path)
    #expect(Environment().absolutePath("P") == nil)
  }

  @Test("tells an empty value from one that is set")
  func nonEmpty() {
    #expect(Environment(["A": ""]).nonEmpty("A") == nil)
    #expect(Environment(["A": "x"]).nonEmpty("A") == "x")
    #expect(Environment(["A": ""])["A"] == "")
  }
}

@Suite("Paths of bytes")
struct FilePathBytesTests {
  @Test("come back as they were, UTF-8 or not, up to the first NUL")
  func roundTrip() {
    #expect(FilePath(bytes: [0x2f, 0xff, 0xfe]).bytes == [0x2f, 0xff, 0xfe])
    #expect(FilePath(bytes: Array("/ä".utf8)) == "/ä")
    #expect(FilePath(bytes: [0x61, 0, 0x62]) == "a")
    #expect(FilePath(bytes: []).bytes.isEmpty)
  }
}
