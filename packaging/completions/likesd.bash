# Completion of likesd for bash. It needs nothing but bash: no helper of bash-completion's.
# shellcheck shell=bash

_likesd() {
    local value=${COMP_WORDS[COMP_CWORD]-} before=${COMP_WORDS[COMP_CWORD - 1]-}
    COMPREPLY=()
    # --config=FILE comes in three words where '=' parts them.
    if [[ $value == = ]]; then
        before="="
        value=""
    fi
    if [[ $before == = ]]; then before=--config; fi
    case $before:$value in
        --config:*)
            mapfile -t COMPREPLY < <(compgen -f -- "$value")
            compopt -o filenames 2>/dev/null || true
            ;;
        *:--config=*) mapfile -t COMPREPLY < <(compgen -P --config= -f -- "${value#--config=}") ;;
        *) mapfile -t COMPREPLY < <(compgen -W "--config --check-config --version --help" -- "$value") ;;
    esac
}

complete -F _likesd likesd
