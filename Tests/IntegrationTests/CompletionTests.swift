import Foundation
import SystemSupport
import Testing

/// What the shells themselves offer, with the scripts that are installed; and the README's aliases.
@Suite(.timeLimit(.minutes(3)))
struct CompletionTests {
  /// A shell, with or without what it may be extended by.
  enum Shell: String, CaseIterable, Sendable {
    case bash, bareBash, zsh, fish

    /// A file that asks the shell what may stand at the end of its first argument, and prints that, one a line.
    var program: String {
      let scripts = "\(Sandbox.repository)/completions"
      return switch self {
      case .bash: ". /usr/share/bash-completion/bash_completion\n" + Self.bash(scripts)
      case .bareBash: Self.bash(scripts)
      case .zsh: Self.zsh(scripts)
      case .fish: "source \(scripts)/fabrik.fish\ncomplete -C $argv[1] | string split -f 1 \\t; or true"
      }
    }

    var interpreter: String {
      switch self {
      case .bash, .bareBash: "bash --norc --noprofile"
      case .zsh: "zsh -f"
      case .fish: "fish"
      }
    }

    /// As readline calls a completion function. It breaks words at `=`.
    private static func bash(_ scripts: String) -> String {
      """
      . \(scripts)/fabrik.bash
      COMP_LINE=$1 COMP_POINT=${#1}
      read -ra COMP_WORDS <<< "${1//=/ = }"
      [[ $1 = *' ' ]] && COMP_WORDS+=('')
      COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
      cur=${COMP_WORDS[COMP_CWORD]#=}
      compopt() { :; }
      $(complete -p fabrik | sed 's/.* -F \\([^ ]*\\).*/\\1/') fabrik "$cur" "${COMP_WORDS[COMP_CWORD - 1]}"
      printf '%s\\n' "${COMPREPLY[@]}"
      """
    }

    /// Types into a shell on a terminal of its own, and listens to what is added to the list.
    private static func zsh(_ scripts: String) -> String {
      """
      zmodload zsh/zpty
      typeset -gx OFFERS=$(mktemp)
      zpty shell zsh -f -i
      say() { zpty -w shell "$1" }
      await() { local text; zpty -r -m shell text "*$1*" }
      say 'PROMPT=; fpath=(\(scripts) $fpath); autoload -Uz compinit; compinit -u -D'
      say 'compadd() {
        if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)\\ * ]]; then
          local -a offers rest
          builtin compadd -A offers -D rest "$@"
          [[ -n $offers ]] && print -rl -- $offers >> $OFFERS
        fi
        builtin compadd "$@"
      }'
      say 'finish() { zle -I; print DO""NE }; zle -N finish; bindkey "^X" finish; bindkey "^I" complete-word; print REA""DY'
      await READY
      zpty -w -n shell "$1"$'\\t\\x18'
      await DONE
      zpty -d shell
      cat $OFFERS; rm -f $OFFERS
      """
    }
  }

  /// What a shell offers at the end of a line.
  private func offers(_ line: String, in shell: Shell, of sandbox: Sandbox) throws -> Set<String> {
    try sandbox.write(shell.program, to: "../complete")
    let outcome = try sandbox.run("timeout 60 \(shell.interpreter) ../complete '\(line)'")
    #expect(outcome.exitStatus == 0 && outcome.errors == "", "\(shell): \(line): \(outcome)")
    return Set(outcome.output.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) })
  }

  private func sandbox() throws -> Sandbox {
    let sandbox = try Sandbox()
    try sandbox.write("goal-of-make:\n\ttrue\n", to: "Makefile")
    try sandbox.write("", to: "goal-of-cat")
    return sandbox
  }

  @Test(arguments: Shell.allCases) func `commands, flags and their values are offered`(shell: Shell) throws {
    let sandbox = try sandbox()
    #expect(try offers("fabrik p2p ap", in: shell, of: sandbox) == ["approve"])
    #expect(try offers("fabrik wh", in: shell, of: sandbox) == ["why"])
    #expect(try offers("fabrik exec --sta", in: shell, of: sandbox) == ["--stats", "--stats-file"])
    #expect(try offers("fabrik exec -q --stats ", in: shell, of: sandbox) == ["none", "line", "json"])
    let tools = try offers("fabrik exec --tool ", in: shell, of: sandbox)
    #expect(tools.isSuperset(of: ["ccache=on", "ccache=off"]), "\(tools)")
    #expect(try offers("fabrik exec --config goal", in: shell, of: sandbox) == ["goal-of-cat"])
  }

  @Test(arguments: [Shell.bash, .bareBash]) func `a value behind an equals sign is offered`(shell: Shell) throws {
    let sandbox = try sandbox()
    #expect(try offers("fabrik exec --stats=j", in: shell, of: sandbox) == ["json"])
    #expect(try offers("fabrik exec --tool ccache=", in: shell, of: sandbox) == ["on", "off"])
    #expect(try offers("fabrik exec --tool=ccache=of", in: shell, of: sandbox) == ["off"])
  }

  @Test(arguments: Shell.allCases) func `COMMAND and its arguments are completed as if they stood alone`(
    shell: Shell
  ) throws {
    let sandbox = try sandbox()
    for flags in ["", "-q --stats none -- "] {
      #expect(try offers("fabrik exec \(flags)sha256su", in: shell, of: sandbox).contains("sha256sum"))
      // Not a flag of fabrik's any more.
      #expect(try offers("fabrik exec \(flags)cat --stats goal", in: shell, of: sandbox) == ["goal-of-cat"])
      #expect(try !offers("fabrik exec \(flags)cat --no-pe", in: shell, of: sandbox).contains("--no-peers"))
    }
    if shell == .bash || shell == .fish {
      let goals = try offers("fabrik exec -- make goal", in: shell, of: sandbox)
      #expect(goals.contains("goal-of-make"), "\(goals)")
    }
  }

  @Test(arguments: Shell.allCases) func `peers and keys are offered where one is asked for`(shell: Shell) throws {
    let sandbox = try PeerCommandTests.sandboxWithPeers()
    let names = try sandbox.run("fabrik p2p list").output.split(separator: "\n").dropFirst().map {
      String($0.prefix { $0 != " " })
    }
    #expect(!names.isEmpty)
    for command in ["approve", "deny", "forget"] {
      let offers = try offers("fabrik p2p \(command) ", in: shell, of: sandbox)
      #expect(!offers.isDisjoint(with: names), "\(shell) \(command): \(offers)")
    }
    try sandbox.write("int x;\n", to: "x.c")
    try sandbox.run("fabrik exec -- gcc -c x.c")
    let key = try #require(try sandbox.run("fabrik why").output.firstMatch(of: /ccache\/[0-9a-f]+/)).output
    #expect(try offers("fabrik why ccache/", in: shell, of: sandbox).contains(String(key)))
  }

  @Test func `a broken configuration is not spoken of in the middle of a line`() throws {
    let sandbox = try sandbox()
    try sandbox.write("nonsense", to: ".fabrik.toml")
    for shell in Shell.allCases { #expect(try offers("fabrik p2p approve ", in: shell, of: sandbox).isEmpty) }
  }

  @Test(arguments: [
    ("bash -O expand_aliases", "make='fabrik exec -- make'"), ("zsh -f", "make='fabrik exec -- make'"),
    ("fish", "make 'fabrik exec -- make'"),
  ])
  func `the README's aliases build with the cache`(shell: String, alias: String) throws {
    let readme = String(
      decoding: try Data(contentsOf: URL(fileURLWithPath: "\(Sandbox.repository)/README.md")), as: UTF8.self)
    #expect(readme.contains("`alias \(alias)`"))
    let sandbox = try Sandbox()
    try CProject(files: 2).write(to: sandbox, directory: "p")
    try sandbox.write("alias \(alias)\ncd p\nmake -s\n./program\n", to: "script")
    let outcome = try sandbox.run("\(shell) script")
    #expect(outcome.output == "2 files\n" && outcome.errors.contains("fabrik: 0 hits · 4 misses"), "\(outcome)")
  }
}
