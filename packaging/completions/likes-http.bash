# Completion of likes-http for bash. It needs nothing but bash: no helper of bash-completion's.
# shellcheck shell=bash

_likes_http() {
    local value=${COMP_WORDS[COMP_CWORD]-} before=${COMP_WORDS[COMP_CWORD - 1]-}
    COMPREPLY=()
    # --socket=PATH comes in three words where '=' parts them.
    if [[ $value == = ]]; then
        before="="
        value=""
    fi
    if [[ $before == = ]]; then before=${COMP_WORDS[COMP_CWORD - 2]-}; fi
    case $before in
        --socket)
            mapfile -t COMPREPLY < <(compgen -f -- "$value")
            compopt -o filenames 2>/dev/null || true
            ;;
        --listen) mapfile -t COMPREPLY < <(compgen -W "127.0.0.1:8000" -- "$value") ;;
        *) mapfile -t COMPREPLY < <(compgen -W "--listen --socket --allow-remote --version --help" -- "$value") ;;
    esac
}

complete -F _likes_http likes-http
