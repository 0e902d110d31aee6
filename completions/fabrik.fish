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
            case --linger --config --stats --stats-file --tool
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
    test $index -le (count $words); and printf '%s\n' $words[$index..]
    return 0
end

function __fabrik_complete_command
    set -l words (__fabrik_words_of_command)
    set -l line
    test (count $words) -gt 0; and set line (string escape -- $words)
    complete -C (string join ' ' -- $line (commandline -ct))
end
function __fabrik_should_offer_completions_for_flags_or_options -a expected_commands
    set -l non_repeating_flags_or_options $argv[2..]
    set -l non_repeating_flags_or_options_absent 0
    set -l positional_index 0
    set -l commands
    __fabrik_words_of_command > /dev/null; and return 1
    __fabrik_parse_tokens
    test "$commands" = "$expected_commands"; and return $non_repeating_flags_or_options_absent
end

function __fabrik_should_offer_completions_for_positional -a expected_commands positional_index_comparison expected_positional_index
    set -l non_repeating_flags_or_options
    set -l non_repeating_flags_or_options_absent 0
    set -l positional_index 0
    set -l commands
    __fabrik_words_of_command > /dev/null; and return 1
    __fabrik_parse_tokens
    test "$commands" = "$expected_commands" -a \( "$positional_index" "$positional_index_comparison" "$expected_positional_index" \)
end

function __fabrik_parse_tokens -S
    set -l unparsed_tokens (__fabrik_tokens -pc)
    switch $unparsed_tokens[1]
    case 'fabrik'
        __fabrik_parse_subcommand 0 'version' 'h/help'
        switch $unparsed_tokens[1]
        case 'exec'
            __fabrik_parse_subcommand -r 1 'linger=' 'config=' 'stats=' 'stats-file=' 'tool=+' 'no-peers' 'no-upstream' 'dry-run' 'v/verbose' 'q/quiet' 'version' 'h/help'
        case 'env'
            __fabrik_parse_subcommand 0 'config=' 'shell=' 'version' 'h/help'
        case 'daemon'
            __fabrik_parse_subcommand 0 'version' 'h/help'
            switch $unparsed_tokens[1]
            case 'start'
                __fabrik_parse_subcommand 0 'config=' 'foreground' 'version' 'h/help'
            case 'stop'
                __fabrik_parse_subcommand 0 'config=' 'version' 'h/help'
            case 'status'
                __fabrik_parse_subcommand 0 'config=' 'json' 'version' 'h/help'
            case 'restart'
                __fabrik_parse_subcommand 0 'config=' 'version' 'h/help'
            end
        case 'p2p'
            __fabrik_parse_subcommand 0 'version' 'h/help'
            switch $unparsed_tokens[1]
            case 'list'
                __fabrik_parse_subcommand 0 'config=' 'json' 'version' 'h/help'
            case 'status'
                __fabrik_parse_subcommand 0 'config=' 'json' 'version' 'h/help'
            case 'pending'
                __fabrik_parse_subcommand 0 'config=' 'json' 'version' 'h/help'
            case 'approve'
                __fabrik_parse_subcommand 1 'config=' 'version' 'h/help'
            case 'deny'
                __fabrik_parse_subcommand 1 'config=' 'version' 'h/help'
            case 'forget'
                __fabrik_parse_subcommand 1 'config=' 'version' 'h/help'
            case 'secret'
                __fabrik_parse_subcommand 0 'version' 'h/help'
            end
        case 'cache'
            __fabrik_parse_subcommand 0 'version' 'h/help'
            switch $unparsed_tokens[1]
            case 'stats'
                __fabrik_parse_subcommand 0 'config=' 'json' 'version' 'h/help'
            case 'gc'
                __fabrik_parse_subcommand 0 'config=' 'json' 'version' 'h/help'
            case 'verify'
                __fabrik_parse_subcommand 0 'config=' 'json' 'version' 'h/help'
            case 'clear'
                __fabrik_parse_subcommand 0 'config=' 'version' 'h/help'
            case 'path'
                __fabrik_parse_subcommand 0 'config=' 'version' 'h/help'
            end
        case 'config'
            __fabrik_parse_subcommand 0 'version' 'h/help'
            switch $unparsed_tokens[1]
            case 'show'
                __fabrik_parse_subcommand 0 'config=' 'json' 'version' 'h/help'
            case 'check'
                __fabrik_parse_subcommand 0 'config=' 'version' 'h/help'
            case 'init'
                __fabrik_parse_subcommand 0 'version' 'h/help'
            end
        case 'doctor'
            __fabrik_parse_subcommand 0 'config=' 'json' 'version' 'h/help'
        case 'why'
            __fabrik_parse_subcommand 1 'build=' 'builds' 'config=' 'json' 'version' 'h/help'
        case 'completions'
            __fabrik_parse_subcommand 1 'version' 'h/help'
        case 'help'
            __fabrik_parse_subcommand -r 1 'version'
        end
    end
end

function __fabrik_tokens
    if test (string split -m 1 -f 1 -- . "$FISH_VERSION") -gt 3
        commandline --tokens-raw $argv
    else
        commandline -o $argv
    end
end

function __fabrik_parse_subcommand -S -a positional_count
    argparse -s r -- $argv
    set -l option_specs $argv[2..]
    set -l is_repeating_positional $_flag_r
    set -el _flag_r
    set -a commands $unparsed_tokens[1]
    set positional_index 0
    while true
        set -e unparsed_tokens[1]
        argparse -sn "$commands" $option_specs -- $unparsed_tokens 2> /dev/null
        set unparsed_tokens $argv
        set positional_index (math $positional_index + 1)
        for non_repeating_flag_or_option in $non_repeating_flags_or_options
            if set -ql "_flag_$(string replace -a - _ -- $non_repeating_flag_or_option)"
                set non_repeating_flags_or_options_absent 1
                break
            end
        end
        test (count $unparsed_tokens) -eq 0 -o \( -z "$is_repeating_positional" -a "$positional_index" -gt "$positional_count" \) && break
    end
end

function __fabrik_complete_directories
    set -l token (commandline -t)
    string match -- '*/' $token
    set -l subdirs $token*/
    printf %s\n $subdirs
end

function __fabrik_custom_completion
    set -x SAP_SHELL fish
    set -x SAP_SHELL_VERSION $FISH_VERSION
    set -l tokens (__fabrik_tokens -p)
    if test -z "$(__fabrik_tokens -t)"
        set -l index (count (__fabrik_tokens -pc))
        set tokens $tokens[..$index] \'\' $tokens[(math $index + 1)..]
    end
    command $tokens[1] $argv $tokens
end

complete -c 'fabrik' -f
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik" -eq 1' -fa 'exec' -d 'Run a command with the cache behind it.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik" -eq 1' -fa 'env' -d 'Print what exec would set, for a shell to take over.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik" -eq 1' -fa 'daemon' -d 'Keep the server running between builds.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik" -eq 1' -fa 'p2p' -d 'Look after the other machines of the team.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik" -eq 1' -fa 'cache' -d 'Look after the local cache.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik" -eq 1' -fa 'config' -d 'Show, check or begin the configuration.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik" -eq 1' -fa 'doctor' -d 'Check the tools, the configuration, the cache, the peers and the upstreams.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik" -eq 1' -fa 'why' -d 'Show why lookups of the last builds missed, layer by layer.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik" -eq 1' -fa 'completions' -d 'Print a completion script.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik" -eq 1' -fa 'help' -d 'Show subcommand help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik exec" linger' -l 'linger' -d 'How long the server stays after the last build (30s; 0 in CI).' -rfka ''
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik exec" config' -l 'config' -d 'Use this file instead of .fabrik.toml.' -rF
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik exec" stats' -l 'stats' -d 'What to print at the end: none, line or json (line).' -rfka 'none line json'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik exec" stats-file' -l 'stats-file' -d 'Also write the statistics there, as JSON.' -rF
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik exec"' -l 'tool' -d 'Switch one tool on or off, as in --tool go=off. May be given several times.' -rfka 'ccache=on ccache=off swift=on swift=off sccache=on sccache=off go=on go=off bazel=on bazel=off gradle=on gradle=off turbo=on turbo=off nx=on nx=off vcpkg=on vcpkg=off'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik exec" no-peers' -l 'no-peers' -d 'Fetch nothing from other machines for this build; they may fetch from this one.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik exec" no-upstream' -l 'no-upstream' -d 'Use no upstream for this build.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik exec" dry-run' -l 'dry-run' -d 'Show what would be set, and run nothing.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik exec" v verbose' -l 'verbose' -s 'v' -d 'Say what was left as it is, and why.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik exec" q quiet' -l 'quiet' -s 'q' -d 'Print nothing.'
complete -c 'fabrik' -n '__fabrik_words_of_command > /dev/null' -fka '(__fabrik_complete_command)'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik exec" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik exec" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik env" config' -l 'config' -d 'Use this file instead of .fabrik.toml.' -rF
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik env" shell' -l 'shell' -d 'bash, zsh, fish or json; by default what $SHELL is.' -rfka 'bash zsh fish json'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik env" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik env" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik daemon" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik daemon" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik daemon" -eq 1' -fa 'start' -d 'Start the daemon, or make the running server one.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik daemon" -eq 1' -fa 'stop' -d 'End the daemon, after the builds that use it.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik daemon" -eq 1' -fa 'status' -d 'Show whether the daemon is running; the exit status is 3 if it is not.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik daemon" -eq 1' -fa 'restart' -d 'End the daemon and start it again, with the configuration in force now.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik daemon start" config' -l 'config' -d 'Use this file instead of .fabrik.toml.' -rF
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik daemon start" foreground' -l 'foreground' -d 'Stay until the daemon ends, and end it at SIGTERM: for service managers.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik daemon start" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik daemon start" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik daemon stop" config' -l 'config' -d 'Use this file instead of .fabrik.toml.' -rF
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik daemon stop" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik daemon stop" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik daemon status" config' -l 'config' -d 'Use this file instead of .fabrik.toml.' -rF
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik daemon status" json' -l 'json' -d 'Print JSON.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik daemon status" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik daemon status" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik daemon restart" config' -l 'config' -d 'Use this file instead of .fabrik.toml.' -rF
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik daemon restart" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik daemon restart" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik p2p" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik p2p" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik p2p" -eq 1' -fa 'list' -d 'Show the peers: where they are, what was exchanged, and who lets whom.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik p2p" -eq 1' -fa 'status' -d 'Show whether this machine takes part, and what is missing if not.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik p2p" -eq 1' -fa 'pending' -d 'Show the peers that wait for your consent to fetch from this machine.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik p2p" -eq 1' -fa 'approve' -d 'Let a peer fetch from this machine.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik p2p" -eq 1' -fa 'deny' -d 'Do not let a peer fetch from this machine; it is not asked about again.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik p2p" -eq 1' -fa 'forget' -d 'Forget a peer and what you said about it; it is asked about again.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik p2p" -eq 1' -fa 'secret' -d 'Print a new secret for a team.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik p2p list" config' -l 'config' -d 'Use this file instead of .fabrik.toml.' -rF
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik p2p list" json' -l 'json' -d 'Print JSON.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik p2p list" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik p2p list" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik p2p status" config' -l 'config' -d 'Use this file instead of .fabrik.toml.' -rF
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik p2p status" json' -l 'json' -d 'Print JSON.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik p2p status" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik p2p status" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik p2p pending" config' -l 'config' -d 'Use this file instead of .fabrik.toml.' -rF
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik p2p pending" json' -l 'json' -d 'Print JSON.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik p2p pending" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik p2p pending" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik p2p approve" config' -l 'config' -d 'Use this file instead of .fabrik.toml.' -rF
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik p2p approve" -eq 1' -fka '(__fabrik_custom_completion ---completion p2p approve -- positional@0 (count (__fabrik_tokens -pc)) 0)'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik p2p approve" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik p2p approve" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik p2p deny" config' -l 'config' -d 'Use this file instead of .fabrik.toml.' -rF
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik p2p deny" -eq 1' -fka '(__fabrik_custom_completion ---completion p2p deny -- positional@0 (count (__fabrik_tokens -pc)) 0)'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik p2p deny" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik p2p deny" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik p2p forget" config' -l 'config' -d 'Use this file instead of .fabrik.toml.' -rF
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik p2p forget" -eq 1' -fka '(__fabrik_custom_completion ---completion p2p forget -- positional@0 (count (__fabrik_tokens -pc)) 0)'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik p2p forget" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik p2p forget" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik p2p secret" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik p2p secret" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik cache" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik cache" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik cache" -eq 1' -fa 'stats' -d 'Show how full the cache is.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik cache" -eq 1' -fa 'gc' -d 'Remove what was not used for longest, if the cache is over its limit.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik cache" -eq 1' -fa 'verify' -d 'Read every entry and remove those that are damaged.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik cache" -eq 1' -fa 'clear' -d 'Remove every entry, and what compilers keep at hand.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik cache" -eq 1' -fa 'path' -d 'Print the directory of the cache.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik cache stats" config' -l 'config' -d 'Use this file instead of .fabrik.toml.' -rF
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik cache stats" json' -l 'json' -d 'Print JSON.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik cache stats" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik cache stats" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik cache gc" config' -l 'config' -d 'Use this file instead of .fabrik.toml.' -rF
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik cache gc" json' -l 'json' -d 'Print JSON.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik cache gc" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik cache gc" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik cache verify" config' -l 'config' -d 'Use this file instead of .fabrik.toml.' -rF
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik cache verify" json' -l 'json' -d 'Print JSON.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik cache verify" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik cache verify" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik cache clear" config' -l 'config' -d 'Use this file instead of .fabrik.toml.' -rF
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik cache clear" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik cache clear" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik cache path" config' -l 'config' -d 'Use this file instead of .fabrik.toml.' -rF
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik cache path" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik cache path" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik config" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik config" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik config" -eq 1' -fa 'show' -d 'Show the values in force and where each comes from.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik config" -eq 1' -fa 'check' -d 'Check the configuration; the exit status is 125 if something is wrong.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik config" -eq 1' -fa 'init' -d 'Write a .fabrik.toml with every key and its default, commented out.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik config show" config' -l 'config' -d 'Use this file instead of .fabrik.toml.' -rF
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik config show" json' -l 'json' -d 'Print JSON.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik config show" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik config show" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik config check" config' -l 'config' -d 'Use this file instead of .fabrik.toml.' -rF
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik config check" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik config check" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik config init" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik config init" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik doctor" config' -l 'config' -d 'Use this file instead of .fabrik.toml.' -rF
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik doctor" json' -l 'json' -d 'Print JSON.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik doctor" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik doctor" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik why" -eq 1' -fka '(__fabrik_custom_completion ---completion why -- positional@0 (count (__fabrik_tokens -pc)) 0)'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik why" build' -l 'build' -d 'Which of the last builds; 1 is the last.' -rfka ''
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik why" builds' -l 'builds' -d 'List the last builds.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik why" config' -l 'config' -d 'Use this file instead of .fabrik.toml.' -rF
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik why" json' -l 'json' -d 'Print JSON.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik why" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik why" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_positional "fabrik completions" -eq 1' -fka 'bash zsh fish'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik completions" version' -l 'version' -d 'Show the version.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik completions" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'fabrik' -n '__fabrik_should_offer_completions_for_flags_or_options "fabrik help" version' -l 'version' -d 'Show the version.'
