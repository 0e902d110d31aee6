import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import BuildLauncher

@Suite("Builds of the same project and command")
struct BuildIdentityTests {
  /// What a build in a directory has in common with others.
  private func hash(
    _ command: [String] = ["make"], in directory: FilePath, home: FilePath = "/home/me"
  ) -> String? {
    BuildIdentity(command: command.map { Array($0.utf8) }, workingDirectory: directory, home: home)?.hash
  }

  private func makeRepository(_ directory: FilePath, origin: String?) throws {
    let remote = origin.map { "[remote \"origin\"]\n\turl = \($0)\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n" }
    try Files.write("[core]\n\tbare = false\n\(remote ?? "")", to: directory.appending(".git/config"))
  }

  @Test("have a hash in common wherever they are, which others do not have")
  func elsewhere() throws {
    try withTemporaryDirectory { root in
      let (one, two) = (root.appending("me/project"), root.appending("runner/work/17"))
      try makeRepository(one, origin: "git@example.org:team/project.git")
      try makeRepository(two, origin: "https://ci:token@example.org/team/project")
      try makeRepository(root.appending("other"), origin: "https://example.org/team/other")
      let hash = try #require(self.hash(in: one))
      #expect(hash.count == 16 && hash.allSatisfy { $0.isHexDigit && !$0.isUppercase })
      #expect(self.hash(in: two) == hash)
      #expect(self.hash(in: root.appending("other")) != hash)
      #expect(self.hash(["make", "test"], in: one) != hash)
      #expect(self.hash(in: one.appending("sub")) != hash)
      #expect(self.hash(in: one.appending("sub")) == self.hash(in: two.appending("sub")))
    }
  }

  @Test("are known by the directory's name where there is no origin, or no git")
  func noOrigin() throws {
    try withTemporaryDirectory { root in
      let (one, two) = (root.appending("a/project"), root.appending("b/c/project"))
      try makeRepository(one, origin: nil)
      try Files.write("", to: two.appending(".fabrik.toml"))
      #expect(hash(in: one.appending("x")) == hash(in: two.appending("x")))
      #expect(hash(in: one) != hash(in: root.appending("a/other")))
      #expect(hash(in: "/home/me") == nil && hash(in: "/") == nil)
    }
  }

  @Test("are told apart by where they run in the repository, also where a part has a configuration of its own")
  func partOfRepository() throws {
    try withTemporaryDirectory { root in
      let (one, two) = (root.appending("me/project"), root.appending("you/project"))
      for directory in [one, two] { try makeRepository(directory, origin: "https://example.org/p") }
      try Files.write("", to: one.appending("part/.fabrik.toml"))
      #expect(hash(in: one.appending("part")) == hash(in: two.appending("part")))
      #expect(hash(in: one.appending("part")) != hash(in: one))
    }
  }

  @Test("may run in worktrees and submodules")
  func worktree() throws {
    try withTemporaryDirectory { root in
      let (main, tree, module) = (root.appending("main"), root.appending("trees/x"), root.appending("main/module"))
      try makeRepository(main, origin: "https://example.org/p")
      let own = main.appending(".git/worktrees/x")
      try Files.write("gitdir: \(own)\n", to: tree.appending(".git"))
      try Files.write("../..\n", to: own.appending("commondir"))
      #expect(hash(in: tree) == hash(in: main))
      try Files.write("gitdir: ../.git/modules/module\n", to: module.appending(".git"))
      try Files.write(
        "[remote \"origin\"]\nurl=https://example.org/m\n", to: main.appending(".git/modules/module/config"))
      try makeRepository(root.appending("m"), origin: "https://example.org/m")
      #expect(hash(in: module) == hash(in: root.appending("m")))
      for text in ["", "gitdir:", "gitdir: /nowhere", "nonsense"] {
        try Files.write(text, to: root.appending("odd/.git"))
        #expect(hash(in: root.appending("odd")) != nil)
      }
    }
  }

  @Test(
    "have one origin, however it is written",
    arguments: [
      "https://example.org/team/project", "https://example.org/team/project.git", "https://example.org/team/project/",
      "https://me@example.org/team/project.git", "https://me:p@ss@Example.ORG/team/project.git",
      "git@example.org:team/project.git", "example.org:team/project", "git@example.org:/team/project.git",
      "ssh://git@example.org/team/project.git", "ssh://git@example.org:22/team/project",
      "git://example.org/team/project",
      "https://example.org:8443/team//project.git",
    ])
  func spellings(url: String) {
    #expect(GitRepository.normalize(url) == "example.org/team/project")
  }

  @Test(
    "of one that is on this machine, only the name counts",
    arguments: ["/srv/git/project.git", "../project", "file:///srv/project.git", "./a:b/project", "project.git"])
  func paths(url: String) {
    #expect(GitRepository.normalize(url) == "project")
  }

  @Test(
    "have the origin that git would use",
    arguments: [
      ("[remote \"origin\"]\n url = https://a/b", "a/b"), ("[REMOTE \"origin\"] URL=https://a/b\n", "a/b"),
      ("[remote \"upstream\"]\nurl = https://x/y\n[remote \"origin\"]\n# url = no\nurl = \"https://a/b\"\n", "a/b"),
      ("[remote \"origin\"]\nfetch = +refs/*\n[core]\nurl = https://x/y\n", nil),
      ("[remote \"Origin\"]\nurl = https://x/y\n", nil), ("[remote \"origin\"]\nurl =\n", nil),
      ("url = https://x/y", nil),
      ("[remote \"origin\"]\r\nurl = https://a/b\r\n", "a/b"), ("[[[]]]\n=\n\0[remote", nil),
    ] as [(String, String?)])
  func configuration(text: String, origin: String?) throws {
    try withTemporaryDirectory { root in
      try Files.write(text, to: root.appending(".git/config"))
      #expect(GitRepository(at: root)?.origin == origin)
    }
  }

  // MARK: - Commands

  /// What is left of a command, in a project at `/src/p`.
  private func words(_ command: String...) throws -> [String] {
    try withTemporaryDirectory { root in
      let top = root.appending("p")
      try Files.write("", to: top.appending(".fabrik.toml"))
      let words = command.map { Array($0.replacing("TOP", with: top.string).utf8) }
      let identity = try #require(BuildIdentity(command: words, workingDirectory: top, home: "/home/me"))
      return identity.words.map { String(decoding: $0, as: UTF8.self) }
    }
  }

  @Test("may be called by another path")
  func program() throws {
    #expect(try words("/usr/bin/make", "all") == ["make", "all"])
    #expect(try words("./build.sh") == ["build.sh"])
    #expect(try words("make", "/usr/bin/x") == ["make", "/usr/bin/x"])
  }

  @Test("may name their project by its path")
  func ownPath() throws {
    #expect(try words("cmake", "--build", "TOP/build", "TOP") == ["cmake", "--build", "./build", "."])
    #expect(try words("make", "CFLAGS=-ITOP/a -ITOP/b") == ["make", "CFLAGS=-I./a -I./b"])
    #expect(try words("make", "TOPology") != ["make", ".ology"], "that is another directory")
  }

  @Test("may run as many jobs as the machine has processors")
  func jobs() throws {
    for count in [["-j8"], ["-j", "8"], ["-j"], ["--jobs=8"], ["--jobs", "16"], ["--parallel", "4"], []] {
      let command = ["make"] + count + ["all", "-junit", "8"]
      let identity = try #require(
        BuildIdentity(command: command.map { Array($0.utf8) }, workingDirectory: "/x/p", home: "/home/me"))
      #expect(identity.words.map { String(decoding: $0, as: UTF8.self) } == ["make", "all", "-junit", "8"])
    }
  }

  @Test("may have any bytes in them")
  func bytes() {
    let odd = BuildIdentity(command: [[0xff], [0xfe, 0x2f], []], workingDirectory: "/x/p", home: "/home/me")
    #expect(odd?.words == [[0xff], [0xfe, 0x2f], []])
    #expect(BuildIdentity(command: [[]], workingDirectory: "/x/p", home: "/home/me")?.hash != nil)
  }
}
