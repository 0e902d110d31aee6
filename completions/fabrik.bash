#!/bin/bash

__fabrik_cursor_index_in_current_word() {
    local remaining="${COMP_LINE}"

    local word
    for word in "${COMP_WORDS[@]::COMP_CWORD}"; do
        remaining="${remaining##*([[:space:]])"${word}"*([[:space:]])}"
    done

    local -ir index="$((COMP_POINT - ${#COMP_LINE} + ${#remaining}))"
    if [[ "${index}" -le 0 ]]; then
        printf 0
    else
        printf %s "${index}"
    fi
}

# positional arguments:
#
# - 1: the current (sub)command's count of positional arguments
#
# required variables:
#
# - repeating_flags: the repeating flags that the current (sub)command can accept
# - non_repeating_flags: the non-repeating flags that the current (sub)command can accept
# - repeating_options: the repeating options that the current (sub)command can accept
# - non_repeating_options: the non-repeating options that the current (sub)command can accept
# - positional_number: value ignored
# - unparsed_words: unparsed words from the current command line
#
# modified variables:
#
# - non_repeating_flags: remove flags for this (sub)command that are already on the command line
# - non_repeating_options: remove options for this (sub)command that are already on the command line
# - positional_number: set to the current positional number
# - unparsed_words: remove all flags, options, and option values for this (sub)command
__fabrik_offer_flags_options() {
    local -ir positional_count="${1}"
    positional_number=0

    local was_flag_option_terminator_seen=false
    local is_parsing_option_value=false

    local -ar unparsed_word_indices=("${!unparsed_words[@]}")
    local -i word_index
    for word_index in "${unparsed_word_indices[@]}"; do
        if "${is_parsing_option_value}"; then
            # This word is an option value:
            # Reset marker for next word iff not currently the last word
            [[ "${word_index}" -ne "${unparsed_word_indices[${#unparsed_word_indices[@]} - 1]}" ]] && is_parsing_option_value=false
            unset "unparsed_words[${word_index}]"
            # Do not process this word as a flag or an option
            continue
        fi

        local word="${unparsed_words["${word_index}"]}"
        if ! "${was_flag_option_terminator_seen}"; then
            case "${word}" in
            --)
                unset "unparsed_words[${word_index}]"
                # by itself -- is a flag/option terminator, but if it is the last word, it is the start of a completion
                if [[ "${word_index}" -ne "${unparsed_word_indices[${#unparsed_word_indices[@]} - 1]}" ]]; then
                    was_flag_option_terminator_seen=true
                fi
                continue
                ;;
            -*)
                # ${word} is a flag or an option
                # If ${word} is an option, mark that the next word to be parsed is an option value
                local option
                for option in "${repeating_options[@]}" "${non_repeating_options[@]}"; do
                    [[ "${word}" = "${option}" ]] && is_parsing_option_value=true && break
                done

                # Remove ${word} from ${non_repeating_flags} or ${non_repeating_options} so it isn't offered again
                local not_found=true
                local -i index
                for index in "${!non_repeating_flags[@]}"; do
                    if [[ "${non_repeating_flags[${index}]}" = "${word}" ]]; then
                        unset "non_repeating_flags[${index}]"
                        non_repeating_flags=("${non_repeating_flags[@]}")
                        not_found=false
                        break
                    fi
                done
                if "${not_found}"; then
                    for index in "${!non_repeating_flags[@]}"; do
                        if [[ "${non_repeating_flags[${index}]}" = "${word}" ]]; then
                            unset "non_repeating_flags[${index}]"
                            non_repeating_flags=("${non_repeating_flags[@]}")
                            break
                        fi
                    done
                fi
                unset "unparsed_words[${word_index}]"
                continue
                ;;
            esac
        fi

        # ${word} is neither a flag, nor an option, nor an option value
        if [[ "${positional_number}" -lt "${positional_count}" || "${positional_count}" -lt 0 ]]; then
            # ${word} is a positional
            ((positional_number++))
            unset "unparsed_words[${word_index}]"
        else
            if [[ -z "${word}" ]]; then
                # Could be completing a flag, option, or subcommand
                positional_number=-1
            else
                # ${word} is a subcommand or invalid, so stop processing this (sub)command
                positional_number=-2
            fi
            break
        fi
    done

    unparsed_words=("${unparsed_words[@]}")

    if\
        ! "${was_flag_option_terminator_seen}"\
        && ! "${is_parsing_option_value}"\
        && [[ ("${cur}" = -* && "${positional_number}" -ge 0) || "${positional_number}" -eq -1 ]]
    then
        COMPREPLY+=($(compgen -W "${repeating_flags[*]} ${non_repeating_flags[*]} ${repeating_options[*]} ${non_repeating_options[*]}" -- "${cur}"))
    fi
}

__fabrik_add_completions() {
    local completion
    while IFS='' read -r completion; do
        COMPREPLY+=("${completion}")
    done < <(IFS=$'\n' compgen "${@}" -- "${cur}")
}

__fabrik_custom_complete() {
    if [[ -n "${cur}" || -z ${COMP_WORDS[${COMP_CWORD}]} || "${COMP_LINE:${COMP_POINT}:1}" != ' ' ]]; then
        local -ar words=("${COMP_WORDS[@]}")
    else
        local -ar words=("${COMP_WORDS[@]::${COMP_CWORD}}" '' "${COMP_WORDS[@]:${COMP_CWORD}}")
    fi

    "${COMP_WORDS[0]}" "${@}" "${words[@]}"
}

_fabrik() {
    local state
    state="$(shopt -p;shopt -po)"
    trap "${state//$'\n'/;}" RETURN
    shopt -s extglob
    set +o history +o posix

    local -xr SAP_SHELL=bash
    local -x SAP_SHELL_VERSION
    SAP_SHELL_VERSION="$(IFS='.';printf %s "${BASH_VERSINFO[*]}")"
    local -r SAP_SHELL_VERSION

    local -r cur="${2}"
    local -r prev="${3}"

    local -i positional_number
    local -a unparsed_words=("${COMP_WORDS[@]:1:${COMP_CWORD}}")

    local -a repeating_flags=()
    local -a non_repeating_flags=(--version -h --help)
    local -a repeating_options=()
    local -a non_repeating_options=()
    __fabrik_offer_flags_options 0

    # Offer subcommand / subcommand argument completions
    local -r subcommand="${unparsed_words[0]}"
    unset 'unparsed_words[0]'
    unparsed_words=("${unparsed_words[@]}")
    case "${subcommand}" in
    exec|env|daemon|p2p|cache|config|doctor|why|completions|help)
        # Offer subcommand argument completions
        "_fabrik_${subcommand}"
        ;;
    *)
        # Offer subcommand completions
        COMPREPLY+=($(compgen -W 'exec env daemon p2p cache config doctor why completions help' -- "${cur}"))
        ;;
    esac
}

_fabrik_exec() {
    repeating_flags=()
    non_repeating_flags=(--no-peers --no-upstream --dry-run --verbose -v --quiet -q --version -h --help)
    repeating_options=(--tool)
    non_repeating_options=(--linger --config --stats --stats-file)
    __fabrik_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--linger')
        return
        ;;
    '--config')
        __fabrik_add_completions -f
        return
        ;;
    '--stats')
        __fabrik_add_completions -W 'none'$'\n''line'$'\n''json'
        return
        ;;
    '--stats-file')
        __fabrik_add_completions -f
        return
        ;;
    '--tool')
        __fabrik_add_completions -W 'ccache=on'$'\n''ccache=off'$'\n''swift=on'$'\n''swift=off'$'\n''sccache=on'$'\n''sccache=off'$'\n''go=on'$'\n''go=off'$'\n''bazel=on'$'\n''bazel=off'$'\n''gradle=on'$'\n''gradle=off'$'\n''turbo=on'$'\n''turbo=off'$'\n''nx=on'$'\n''nx=off'$'\n''vcpkg=on'$'\n''vcpkg=off'
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    *)
        :
        return
        ;;
    esac
}

_fabrik_env() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=(--config --shell)
    __fabrik_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--config')
        __fabrik_add_completions -f
        return
        ;;
    '--shell')
        __fabrik_add_completions -W 'bash'$'\n''zsh'$'\n''fish'$'\n''json'
        return
        ;;
    esac
}

_fabrik_daemon() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=()
    __fabrik_offer_flags_options 0

    # Offer subcommand / subcommand argument completions
    local -r subcommand="${unparsed_words[0]}"
    unset 'unparsed_words[0]'
    unparsed_words=("${unparsed_words[@]}")
    case "${subcommand}" in
    start|stop|status|restart)
        # Offer subcommand argument completions
        "_fabrik_daemon_${subcommand}"
        ;;
    *)
        # Offer subcommand completions
        COMPREPLY+=($(compgen -W 'start stop status restart' -- "${cur}"))
        ;;
    esac
}

_fabrik_daemon_start() {
    repeating_flags=()
    non_repeating_flags=(--foreground --version -h --help)
    repeating_options=()
    non_repeating_options=(--config)
    __fabrik_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--config')
        __fabrik_add_completions -f
        return
        ;;
    esac
}

_fabrik_daemon_stop() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=(--config)
    __fabrik_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--config')
        __fabrik_add_completions -f
        return
        ;;
    esac
}

_fabrik_daemon_status() {
    repeating_flags=()
    non_repeating_flags=(--json --version -h --help)
    repeating_options=()
    non_repeating_options=(--config)
    __fabrik_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--config')
        __fabrik_add_completions -f
        return
        ;;
    esac
}

_fabrik_daemon_restart() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=(--config)
    __fabrik_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--config')
        __fabrik_add_completions -f
        return
        ;;
    esac
}

_fabrik_p2p() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=()
    __fabrik_offer_flags_options 0

    # Offer subcommand / subcommand argument completions
    local -r subcommand="${unparsed_words[0]}"
    unset 'unparsed_words[0]'
    unparsed_words=("${unparsed_words[@]}")
    case "${subcommand}" in
    list|status|pending|approve|deny|forget|secret)
        # Offer subcommand argument completions
        "_fabrik_p2p_${subcommand}"
        ;;
    *)
        # Offer subcommand completions
        COMPREPLY+=($(compgen -W 'list status pending approve deny forget secret' -- "${cur}"))
        ;;
    esac
}

_fabrik_p2p_list() {
    repeating_flags=()
    non_repeating_flags=(--json --version -h --help)
    repeating_options=()
    non_repeating_options=(--config)
    __fabrik_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--config')
        __fabrik_add_completions -f
        return
        ;;
    esac
}

_fabrik_p2p_status() {
    repeating_flags=()
    non_repeating_flags=(--json --version -h --help)
    repeating_options=()
    non_repeating_options=(--config)
    __fabrik_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--config')
        __fabrik_add_completions -f
        return
        ;;
    esac
}

_fabrik_p2p_pending() {
    repeating_flags=()
    non_repeating_flags=(--json --version -h --help)
    repeating_options=()
    non_repeating_options=(--config)
    __fabrik_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--config')
        __fabrik_add_completions -f
        return
        ;;
    esac
}

_fabrik_p2p_approve() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=(--config)
    __fabrik_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--config')
        __fabrik_add_completions -f
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    1)
        __fabrik_add_completions -W "$(__fabrik_custom_complete ---completion p2p approve -- positional@0 "${COMP_CWORD}" "$(__fabrik_cursor_index_in_current_word)")"
        return
        ;;
    esac
}

_fabrik_p2p_deny() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=(--config)
    __fabrik_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--config')
        __fabrik_add_completions -f
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    1)
        __fabrik_add_completions -W "$(__fabrik_custom_complete ---completion p2p deny -- positional@0 "${COMP_CWORD}" "$(__fabrik_cursor_index_in_current_word)")"
        return
        ;;
    esac
}

_fabrik_p2p_forget() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=(--config)
    __fabrik_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--config')
        __fabrik_add_completions -f
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    1)
        __fabrik_add_completions -W "$(__fabrik_custom_complete ---completion p2p forget -- positional@0 "${COMP_CWORD}" "$(__fabrik_cursor_index_in_current_word)")"
        return
        ;;
    esac
}

_fabrik_p2p_secret() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=()
    __fabrik_offer_flags_options 0
}

_fabrik_cache() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=()
    __fabrik_offer_flags_options 0

    # Offer subcommand / subcommand argument completions
    local -r subcommand="${unparsed_words[0]}"
    unset 'unparsed_words[0]'
    unparsed_words=("${unparsed_words[@]}")
    case "${subcommand}" in
    stats|gc|verify|clear|path)
        # Offer subcommand argument completions
        "_fabrik_cache_${subcommand}"
        ;;
    *)
        # Offer subcommand completions
        COMPREPLY+=($(compgen -W 'stats gc verify clear path' -- "${cur}"))
        ;;
    esac
}

_fabrik_cache_stats() {
    repeating_flags=()
    non_repeating_flags=(--json --version -h --help)
    repeating_options=()
    non_repeating_options=(--config)
    __fabrik_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--config')
        __fabrik_add_completions -f
        return
        ;;
    esac
}

_fabrik_cache_gc() {
    repeating_flags=()
    non_repeating_flags=(--json --version -h --help)
    repeating_options=()
    non_repeating_options=(--config)
    __fabrik_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--config')
        __fabrik_add_completions -f
        return
        ;;
    esac
}

_fabrik_cache_verify() {
    repeating_flags=()
    non_repeating_flags=(--json --version -h --help)
    repeating_options=()
    non_repeating_options=(--config)
    __fabrik_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--config')
        __fabrik_add_completions -f
        return
        ;;
    esac
}

_fabrik_cache_clear() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=(--config)
    __fabrik_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--config')
        __fabrik_add_completions -f
        return
        ;;
    esac
}

_fabrik_cache_path() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=(--config)
    __fabrik_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--config')
        __fabrik_add_completions -f
        return
        ;;
    esac
}

_fabrik_config() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=()
    __fabrik_offer_flags_options 0

    # Offer subcommand / subcommand argument completions
    local -r subcommand="${unparsed_words[0]}"
    unset 'unparsed_words[0]'
    unparsed_words=("${unparsed_words[@]}")
    case "${subcommand}" in
    show|check|init)
        # Offer subcommand argument completions
        "_fabrik_config_${subcommand}"
        ;;
    *)
        # Offer subcommand completions
        COMPREPLY+=($(compgen -W 'show check init' -- "${cur}"))
        ;;
    esac
}

_fabrik_config_show() {
    repeating_flags=()
    non_repeating_flags=(--json --version -h --help)
    repeating_options=()
    non_repeating_options=(--config)
    __fabrik_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--config')
        __fabrik_add_completions -f
        return
        ;;
    esac
}

_fabrik_config_check() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=(--config)
    __fabrik_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--config')
        __fabrik_add_completions -f
        return
        ;;
    esac
}

_fabrik_config_init() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=()
    __fabrik_offer_flags_options 0
}

_fabrik_doctor() {
    repeating_flags=()
    non_repeating_flags=(--json --version -h --help)
    repeating_options=()
    non_repeating_options=(--config)
    __fabrik_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--config')
        __fabrik_add_completions -f
        return
        ;;
    esac
}

_fabrik_why() {
    repeating_flags=()
    non_repeating_flags=(--builds --json --version -h --help)
    repeating_options=()
    non_repeating_options=(--build --config)
    __fabrik_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--build')
        return
        ;;
    '--config')
        __fabrik_add_completions -f
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    1)
        __fabrik_add_completions -W "$(__fabrik_custom_complete ---completion why -- positional@0 "${COMP_CWORD}" "$(__fabrik_cursor_index_in_current_word)")"
        return
        ;;
    esac
}

_fabrik_completions() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=()
    __fabrik_offer_flags_options 1

    # Offer positional completions
    case "${positional_number}" in
    1)
        __fabrik_add_completions -W 'bash'$'\n''zsh'$'\n''fish'
        return
        ;;
    esac
}

_fabrik_help() {
    repeating_flags=()
    non_repeating_flags=(--version)
    repeating_options=()
    non_repeating_options=()
    __fabrik_offer_flags_options -1
}

complete -o filenames -F _fabrik fabrik

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
        --linger|--config|--stats|--stats-file|--tool)
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
        local IFS=$'\n'
        COMPREPLY=($(compgen -f -- "${2}"))
    fi
}

complete -o filenames -F _fabrik_or_command fabrik
