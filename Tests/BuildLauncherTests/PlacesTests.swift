import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import BuildLauncher

@Suite("Finding a command")
struct CommandLookupTests {
  private func candidates(_ name: String, path: String?) -> [String] {
    var environment = Environment()
    environment["PATH"] = path
    return CommandLookup(environment: environment).candidates(for: Array(name.utf8))
      .map { String(decoding: $0, as: UTF8.self) }
  }

  @Test(
    "tries each directory of the PATH in turn; an empty one is the working directory",
    arguments: [
      ("/a:/b", ["/a/x", "/b/x"]), (":/a", ["x", "/a/x"]), ("/a:", ["/a/x", "x"]), ("/a::/b", ["/a/x", "x", "/b/x"]),
      ("", ["x"]), ("rel", ["rel/x"]), ("/a/", ["/a//x"]), (nil, ["/bin/x", "/usr/bin/x"]),
    ] as [(String?, [String])])
  func path(path: String?, expected: [String]) {
    #expect(candidates("x", path: path) == expected)
  }

  @Test("takes a name with a slash as it is, and no name as no file", arguments: ["./x", "/x", "a/b", "x/", ""])
  func slash(name: String) {
    #expect(candidates(name, path: "/a:/b") == [name])
  }

  @Test("keeps bytes that are not UTF-8")
  func bytes() {
    var environment = Environment()
    environment.setBytes("PATH", [0x2f, 0xff])
    #expect(CommandLookup(environment: environment).candidates(for: [0xfe]) == [[0x2f, 0xff, 0x2f, 0xfe]])
  }

  @Test("takes the first that is an executable file")
  func executable() throws {
    try withTemporaryDirectory { directory in
      try Files.write("", to: directory.appending("1/tool"))
      try FileSystem.makeDirectories(directory.appending("2/tool"))
      try FileSystem.makeDirectories(directory.appending("3"))
      try FileSystem.makeSymbolicLink(directory.appending("3/tool"), to: "/bin/sh")
      let environment = Environment(["PATH": "\(directory)/1:\(directory)/2:\(directory)/none:\(directory)/3"])
      #expect(
        CommandLookup(environment: environment).firstExecutable(Array("tool".utf8)) == directory.appending("3/tool"))
      #expect(CommandLookup(environment: environment).firstExecutable(Array("other".utf8)) == nil)
    }
  }
}

@Suite("The top of the source tree")
struct ProjectRootTests {
  /// - Parameters:
  ///   - files: what lies below the directory that stands for `/`.
  private func find(from directory: String, files: [String], home: String = "home/me") throws -> String {
    try withTemporaryDirectory { root in
      for file in files { try Files.write("", to: root.appending(file)) }
      try FileSystem.makeDirectories(root.appending(directory))
      let found = ProjectRoot.find(from: root.appending(directory), home: root.appending(home))
      return found.map { String($0.string.dropFirst(root.length + 1)) } ?? "none"
    }
  }

  @Test(
    "is the nearest repository, whatever build files lie between",
    arguments: [".git/HEAD", ".hg/x", ".jj/x", ".svn/x", ".fabrik.toml", ".git"])
  func repository(mark: String) throws {
    #expect(try find(from: "home/me/p/a/b", files: ["home/me/p/\(mark)", "home/me/p/a/Makefile"]) == "home/me/p")
    #expect(try find(from: "home/me/p", files: ["home/me/p/\(mark)"]) == "home/me/p")
  }

  @Test("is the nearer of two repositories")
  func nested() throws {
    #expect(try find(from: "p/sub/x", files: ["p/.git/HEAD", "p/sub/.git"]) == "p/sub")
  }

  @Test("without a repository, is the highest directory above that has a build file in an unbroken row")
  func buildFiles() throws {
    #expect(try find(from: "p/build", files: ["p/CMakeLists.txt"]) == "p")
    #expect(try find(from: "p/a/build", files: ["p/Makefile", "p/a/Makefile"]) == "p")
    #expect(try find(from: "p/gap/a/build", files: ["p/Makefile", "p/gap/a/meson.build"]) == "p/gap/a")
  }

  @Test("is the directory itself when nothing says otherwise")
  func itself() throws {
    #expect(try find(from: "p/x", files: []) == "p/x")
    #expect(try find(from: "p/x", files: ["p/x/Makefile"]) == "p/x")
    #expect(try find(from: "p/x/y", files: ["p/Makefile"]) == "p/x/y")
  }

  @Test(
    "is never the home directory, nor one above it, of a build below",
    arguments: ["home/me/.git", "home/.git", "home/me/Makefile"])
  func home(mark: String) throws {
    #expect(try find(from: "home/me/p", files: [mark]) == "home/me/p")
  }
}
