import ArgumentParser
import SystemSupport

/// A completion script: ArgumentParser's, which knows every command and flag, and behind `exec` the shell's own completion
/// of COMMAND and its arguments, as if they stood alone.
struct CompletionScript {
  /// What ArgumentParser is told to complete COMMAND with. The line of the script that holds it is replaced.
  static let commandMark = "fabrik-command"

  let text: String

  init(_ shell: CompletionsCommand.Shell) {
    let base = FabrikCommand.completionScript(for: shell.argumentParserShell)
    switch shell {
    case .bash:
      // COMMAND never gets there.
      text = Self.replacingMarkedLine(in: base, by: "        :") + "\n" + Self.bash
    case .zsh: text = Self.zsh(base)
    case .fish: text = Self.fish(base)
    }
  }

  /// The flags of `exec` that a value follows, by its help.
  private static var flagsWithValue: [String] {
    let words = FabrikCommand.helpMessage(for: ExecCommand.self, columns: 1000).split(whereSeparator: \.isWhitespace)
    return zip(words, words.dropFirst()).filter { $0.hasPrefix("--") && $1.hasPrefix("<") }.map { String($0.0) }
  }

  private static func replacingMarkedLine(in script: String, by line: String) -> String {
    script.split(separator: "\n", omittingEmptySubsequences: false)
      .map { $0.contains(commandMark) ? line : String($0) }.joined(separator: "\n")
  }

  // MARK: - bash

  /// bash-completion completes a command at an offset; without it, there are names of commands and files. bash takes
  /// `NAME=VALUE` for three words.
  private static var bash: String {
    """

    # What follows the flags of exec is completed as if it stood alone.
    _fabrik_or_command() {
        if [[ "${COMP_WORDS[1]}" != exec || "${COMP_CWORD}" -lt 2 ]]; then
            _fabrik "${@}"
            return
        fi

        local -i index=2
        local is_command=false
        while [[ "${index}" -lt "${COMP_CWORD}" ]]; do
            case "${COMP_WORDS[index]}" in
            --)
                index+=1
                is_command=true
                break
                ;;
            \(flagsWithValue.joined(separator: "|")))
                index+=1
                [[ "${COMP_WORDS[index]}" = '=' ]] && index+=1
                index+=1
                [[ "${COMP_WORDS[index]}" = '=' ]] && index+=2
                ;;
            -?*)
                index+=1
                ;;
            *)
                is_command=true
                break
                ;;
            esac
        done

        local -i equals="${COMP_CWORD}"
        [[ "${COMP_WORDS[equals]}" = '=' ]] || equals=equals-1
        if [[ "${index}" -gt "${COMP_CWORD}" && "${COMP_WORDS[equals]}" = '=' ]]; then
            local name="${COMP_WORDS[equals - 2]}"
            [[ "${name}" = '=' ]] && name="${COMP_WORDS[equals - 3]}"
            if [[ "${name}" = --tool ]]; then
                COMPREPLY=($(compgen -W 'on off' -- "${2}"))
            else
                _fabrik "${1}" "${2}" "${COMP_WORDS[equals - 1]}"
            fi
            return
        fi
        if [[ "${index}" -gt "${COMP_CWORD}" || ("${COMP_WORDS[index]}" = -* && "${is_command}" = false) ]]; then
            _fabrik "${@}"
        elif declare -F _comp_command_offset > /dev/null; then
            _comp_command_offset "${index}"
        elif declare -F _command_offset > /dev/null; then
            _command_offset "${index}"
        elif [[ "${index}" -eq "${COMP_CWORD}" && "${2}" != */* ]]; then
            COMPREPLY=($(compgen -c -- "${2}"))
        else
            local IFS=$'\\n'
            COMPREPLY=($(compgen -f -- "${2}"))
        fi
    }

    complete -o filenames -F _fabrik_or_command fabrik
    """
  }

  // MARK: - zsh

  private static func zsh(_ base: String) -> String {
    // Flags end where COMMAND begins.
    let arguments = """
              '(-)1:command:_command_names -e'
              '*::argument:__fabrik_arguments_of_command'
      """
    let function = """

      # What follows COMMAND is completed as if it stood alone.
      __fabrik_arguments_of_command() {
          setopt localoptions "${_comp_options[@]}"
          _normal
      }

      """
    let script = replacingMarkedLine(in: base, by: arguments)
    guard let end = script.firstIndex(of: "\n") else { return script }
    return script[...end] + function + script[script.index(after: end)...].drop { $0 == "\n" }
  }

  // MARK: - fish

  private static func fish(_ base: String) -> String {
    let functions = """
      # Prints COMMAND and its arguments as far as they stand before the cursor, one a line; fails where COMMAND has not been
      # reached.
      function __fabrik_words_of_command
          set -l words (commandline -opc)
          test "$words[2]" = exec; or return 1
          set -l index 3
          set -l is_command 0
          while test $index -le (count $words)
              switch $words[$index]
                  case --
                      set index (math $index + 1)
                      set is_command 1
                      break
                  case \(flagsWithValue.joined(separator: " "))
                      set index (math $index + 2)
                  case '-*'
                      set index (math $index + 1)
                  case '*'
                      set is_command 1
                      break
              end
          end
          test $index -le (math (count $words) + 1); or return 1
          if test $is_command = 0; and string match -q -- '-*' (commandline -ct)
              return 1
          end
          test $index -le (count $words); and printf '%s\\n' $words[$index..]
          return 0
      end

      function __fabrik_complete_command
          set -l words (__fabrik_words_of_command)
          set -l line
          test (count $words) -gt 0; and set line (string escape -- $words)
          complete -C (string join ' ' -- $line (commandline -ct))
      end

      """
    // The commands and flags of fabrik end where COMMAND begins.
    let guarded = base.replacing(
      "    set -l commands\n    __fabrik_parse_tokens\n",
      with: "    set -l commands\n    __fabrik_words_of_command > /dev/null; and return 1\n    __fabrik_parse_tokens\n")
    // Where the cursor is in its word matters to nothing here, and fish 3 fails to tell it in this way.
    let script = guarded.replacing("(__fabrik_tokens -tC)", with: "0")
    let line = "complete -c 'fabrik' -n '__fabrik_words_of_command > /dev/null' -fka '(__fabrik_complete_command)'"
    return functions + replacingMarkedLine(in: script, by: line)
  }
}
