import Foundation
import SystemSupport
import Testing

/// What is written about Fabrik must be what it does.
@Suite(.timeLimit(.minutes(2)))
struct DocumentationTests {
  private func text(_ path: String) throws -> String {
    String(decoding: try Data(contentsOf: URL(fileURLWithPath: "\(Sandbox.repository)/\(path)")), as: UTF8.self)
  }

  /// The long flags of a command's help.
  private func flags(of command: String) throws -> Set<String> {
    let help = try Sandbox().run("fabrik help \(command)").output
    let flags = help.matches(of: /--[a-z][a-z-]+/).map { String($0.output) }
    return Set(flags).subtracting(["--help", "--version"])
  }

  @Test(arguments: [("bash", "fabrik.bash"), ("zsh", "_fabrik"), ("fish", "fabrik.fish")])
  func `the completion scripts are the ones that fabrik prints`(shell: String, file: String) throws {
    #expect(
      try Sandbox().run("fabrik completions \(shell)").output == text("completions/\(file)"), "run: make completions")
  }

  @Test func `the reference of the command line is what fabrik says of itself`() throws {
    let outcome = try Sandbox().run("\(Sandbox.repository)/scripts/cli-reference \(Sandbox.binaries)/fabrik")
    #expect(outcome.output == (try text("docs/cli.md")), "run: make reference; \(outcome.errors)")
  }

  @Test func `exec takes every flag of its help`() throws {
    let values = [
      "--linger": "1s", "--config": "file.toml", "--stats": "none", "--stats-file": "stats.json", "--tool": "ccache=on",
    ]
    for flag in try flags(of: "exec") {
      let sandbox = try Sandbox()
      try sandbox.write("", to: "file.toml")
      let outcome = try sandbox.run("fabrik exec \(flag) \(values[flag] ?? "") -- true")
      #expect(outcome.exitStatus == 0, "\(flag): \(outcome.errors)")
    }
  }

  @Test func `the manual page has every flag and every command`() throws {
    let page = try text("docs/fabrik.1").replacing("\\-", with: "-")
    for flag in try flags(of: "exec") { #expect(page.contains(flag)) }
    for command in ["cache", "config", "daemon", "p2p"] {
      let help = try Sandbox().run("fabrik help \(command)").output
      let list = help[(help.firstRange(of: "SUBCOMMANDS:")?.upperBound ?? help.startIndex)...]
      for line in list.split(separator: "\n") where line.hasPrefix("  ") && !line.hasPrefix("   ") {
        guard let name = line.split(separator: " ").first, name != "See" else { continue }
        #expect(page.contains("\(command) \(name)"), "\(command) \(name)")
      }
    }
  }

  @Test func `the tests that the threat model names exist`() throws {
    var sources: [String] = []
    let tests = URL(fileURLWithPath: "\(Sandbox.repository)/Tests")
    for case let file as URL in try #require(FileManager.default.enumerator(at: tests, includingPropertiesForKeys: nil))
    where ["swift", "py"].contains(file.pathExtension) {
      sources.append(String(decoding: try Data(contentsOf: file), as: UTF8.self))
    }
    let page = try text("docs/threat-model.md").replacing("\n", with: " ")
    let claims = page.matches(of: /`(\w+Tests)`: ((\*[^*]+\*(, )?)+)/)
    #expect(claims.count > 15)
    for claim in claims {
      for name in claim.output.2.matches(of: /\*([^*]+)\*/).map(\.output.1) {
        let isThere = sources.contains {
          ["struct \(claim.output.1) {", "class \(claim.output.1)("].contains(where: $0.contains)
            && ["func `\(name)`", "\"\(name)\"", "def test_\(name.replacing(" ", with: "_"))("].contains(
              where: $0.contains)
        }
        #expect(isThere, "\(claim.output.1): \(name)")
      }
    }
  }

  @Test func `the service of systemd calls fabrik as it wants to be called`() throws {
    let unit = try text("systemd/fabrik.service")
    #expect(unit.contains("\nExecStart=/usr/local/bin/fabrik daemon start --foreground\n"))
    #expect(try flags(of: "daemon start").contains("--foreground"))
    let outcome = try Sandbox().run(
      """
      make -s -C \(Sandbox.repository) install DESTDIR=$PWD/root PREFIX=/opt/fabrik RELEASE=\(Sandbox.binaries) > /dev/null
      grep ^ExecStart= root/opt/fabrik/lib/systemd/user/fabrik.service
      """)
    #expect(outcome.output == "ExecStart=/opt/fabrik/bin/fabrik daemon start --foreground\n", "\(outcome.errors)")
  }

  @Test func `the configuration reference has every key, variable and default file`() throws {
    let reference = try text("docs/configuration.md")
    let shown = try Sandbox().run("fabrik config show").output
    for line in shown.split(separator: "\n") {
      let key = line.prefix { $0 != " " }
      #expect(reference.contains("| `\(key)` |"), "\(key)")
    }
    for variable in reference.matches(of: /FABRIK_[A-Z0-9_]+/).map({ String($0.output) }) {
      #expect(try text("docs/fabrik.1").contains(variable), "\(variable)")
    }
  }

  @Test func `the file that config init writes is valid, also with everything uncommented`() throws {
    let sandbox = try Sandbox()
    let outcome = try sandbox.run(
      """
      fabrik config init && fabrik config check && fabrik config init; echo "again: $?"
      export FABRIK_TEAM_SECRET=k9Zq7Tr2mVx4Lp8Wd3HsN6bJ CACHE_TOKEN=x
      sed -i 's/^# \\([a-z_]* = \\|\\[\\[\\)/\\1/' .fabrik.toml && fabrik config check && fabrik config show
      """)
    #expect(outcome.output.contains("again: 1\nfine: "))
    #expect(outcome.output.contains("exec.tools = { ccache = false }"))
    // All but the linger and the interfaces, which the sandbox sets by variables.
    #expect(outcome.output.matches(of: /\.fabrik\.toml:/).count == 26)
  }

  /// The lines of the README's recipes for CI that call fabrik, without what the CI puts around them.
  private func recipes() throws -> [String] {
    let section = try #require(text("README.md").split(separator: "### In CI\n").last?.split(separator: "\n## ").first)
    return section.split(separator: "\n").compactMap { line in
      guard let start = line.range(of: "fabrik exec --"), !line.hasPrefix("Put ") else { return nil }
      return String(line[start.lowerBound...].prefix { $0 != "'" })
    }
  }

  @Test func `the recipes for CI build, and the next job finds what was built`() throws {
    let recipes = try recipes()
    #expect(recipes.count == 3)
    for recipe in recipes {
      let sandbox = try Sandbox()
      sandbox.environment["CI"] = "true"
      sandbox.environment["FABRIK_LINGER"] = nil
      sandbox.environment["FABRIK_CACHE_DIR"] = "\(sandbox.path)/work/.fabrik-cache"
      try CProject(files: 3).write(to: sandbox, directory: "job1")
      try CProject(files: 3).write(to: sandbox, directory: "job2")
      #expect(try sandbox.run("cd job1 && \(recipe)").errors.contains("0 hits"))
      // The cache is packed and unpacked in between.
      try sandbox.waitForServersToEnd()
      let second = try sandbox.run(
        "tar cf cache.tar .fabrik-cache && rm -r .fabrik-cache && tar xf cache.tar && cd job2 && \(recipe)")
      #expect(second.exitStatus == 0)
      #expect(second.errors.contains("6 hits (6 local) · 0 misses"))
    }
  }

  @Test(arguments: ["yaml"])
  func `the recipes for CI are well-formed`(language: String) throws {
    let blocks = try text("README.md").split(separator: "```\(language)\n").dropFirst().map {
      String($0.split(separator: "\n```").first ?? "")
    }
    #expect(blocks.count == 2)
    for block in blocks {
      let sandbox = try Sandbox()
      try sandbox.write(block, to: "recipe")
      let check = try sandbox.run(["python3", "-c", "import yaml; assert yaml.safe_load(open('recipe'))"])
      #expect(check.exitStatus == 0, "\(check.errors)")
    }
  }
}
