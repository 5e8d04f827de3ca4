# Completion of likesctl for bash. It needs nothing but bash: no helper of bash-completion's.
# shellcheck shell=bash

# The words up to the cursor, into the caller's `words`. Readline also parts words at '=' and ':'; here
# --mix=count=1 and post:456 are one word each, as for the shell itself.
_likesctl_words() {
    local line=$COMP_LINE word blanks i
    words=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]-}
        blanks=${line%%[![:space:]]*}
        line=${line#"$blanks"}
        line=${line#"$word"}
        if [[ -z $blanks && ${#words[@]} -gt 0 && ($word == [=:]* || ${words[-1]} == *[=:]) ]]; then
            words[-1]+=$word
        else
            words+=("$word")
        fi
    done
}

# Offers those of the given words that begin like `value`.
_likesctl_offer() {
    local word
    for word in "$@"; do
        if [[ $word == "$value"* ]]; then COMPREPLY+=("$word"); fi
    done
}

_likesctl_offer_files() {
    mapfile -t COMPREPLY < <(compgen -f -- "$value")
    compopt -o filenames 2>/dev/null || true
}

# The configured types, each with the colon behind which the id is typed.
_likesctl_offer_types() {
    local suffix=$1 list=${ITEM_TYPES-} line types type
    # Behind the colon stands an id, which nobody can guess.
    if [[ $value == *:* ]]; then return; fi
    if [[ -z $list && -r /etc/likesd/likesd.conf ]]; then
        while IFS= read -r line; do
            if [[ $line =~ ^[[:blank:]]*ITEM_TYPES[[:blank:]]*=[[:blank:]]*[\"\']?([a-z0-9_,-]+) ]]; then
                list=${BASH_REMATCH[1]}
            fi
        done </etc/likesd/likesd.conf
    fi
    IFS=, read -ra types <<<"${list:-post,reel,comment}"
    for type in "${types[@]}"; do _likesctl_offer "$type$suffix"; done
    if [[ -n $suffix ]]; then compopt -o nospace 2>/dev/null || true; fi
}

# The words that the value does not name yet, each with the '=' of its weight.
_likesctl_offer_weights() {
    local named=,${value%"${value##*,}"} word
    for word in "$@"; do
        if [[ $named != *",$word="* && $named != *",$word,"* ]]; then _likesctl_offer "${named#,}$word="; fi
    done
    compopt -o nospace 2>/dev/null || true
}

# BEGIN generated: commands
# shellcheck disable=SC2034 # the caller's
_likesctl_table() {
    commands="like unlike count liked likes likers health info metrics ping reload bench plan migrate verify
        import export forget remove"
    everywhere="--help --version"
    takes_value="--socket --after --limit --rate --connections --pipeline --duration --requests --warmup --mix
        --users --items --type --keys --batch --seed --likes --counts --likes-stored --hosts --cold --ttl-ms --peak
        --config --partitions --wait --sample --slice --items-per-pass --snapshot-seconds --format --user --item"
    case $1 in
        like)
            own="--socket --json"
            ;;
        unlike)
            own="--socket --json"
            ;;
        count)
            own="--socket --json"
            ;;
        liked)
            own="--socket --json"
            ;;
        likes)
            own="--socket --json --after --limit"
            ;;
        likers)
            own="--socket --json --after --limit"
            ;;
        health)
            own="--socket --json"
            ;;
        info)
            own="--socket --json"
            ;;
        metrics)
            own="--socket"
            ;;
        ping)
            own="--socket --json"
            ;;
        reload)
            own="--socket --json"
            ;;
        bench)
            own="--socket --json --rate --connections --pipeline --duration --requests --warmup --mix --users --items
                --type --keys --batch --seed --write"
            ;;
        plan)
            own="--json --likes --counts --users --likes-stored --hosts --items --batch --cold --ttl-ms --peak"
            ;;
        migrate)
            own="--config --json --partitions --likers-index --sql --type --adopt --adopt-finish --adopt-undo
                --drop-indexes --wait"
            ;;
        verify)
            own="--config --json --repair --sample --type --quiet --verbose --progress --slice --items-per-pass
                --snapshot-seconds"
            ;;
        import)
            own="--config --json --format --strict --resume --abandon --progress"
            ;;
        export)
            own="--config --json --format --user --item --progress"
            ;;
        forget)
            own="--config --json --dry-run --progress"
            ;;
        remove)
            own="--config --json --dry-run --scan --progress"
            ;;
        *) own="--socket" ;;
    esac
}

_likesctl_offer_value() {
    case $1 in
        --socket) _likesctl_offer_files ;;
        --mix) _likesctl_offer_weights like unlike count mcount liked mliked ;;
        --type) _likesctl_offer_types "" ;;
        --keys) _likesctl_offer uniform zipf zipf: hot ;;
        --config) _likesctl_offer_files ;;
        --format) _likesctl_offer csv binary ;;
        --item) _likesctl_offer_types : ;;
    esac
}

# $1: the command, $2: how many of its arguments are typed.
_likesctl_offer_argument() {
    case $1:$2 in
        like:1) _likesctl_offer_types : ;;
        unlike:1) _likesctl_offer_types : ;;
        count:*) _likesctl_offer_types : ;;
        liked:[1-9]*) _likesctl_offer_types : ;;
        likers:0) _likesctl_offer_types : ;;
        info:0) _likesctl_offer server clients memory persistence replication stats cache backends coherence cpu commandstats errorstats latencystats ;;
        import:0) _likesctl_offer_files ;;
        export:0) _likesctl_offer_files ;;
        remove:0) _likesctl_offer_types : ;;
    esac
}
# END generated

_likesctl() {
    local words=() value word command="" positions=0 option="" ended="" i
    local commands everywhere takes_value own taking=""
    COMPREPLY=()
    _likesctl_words
    _likesctl_table ""

    takes_value=" ${takes_value//[[:space:]]/ } "
    for ((i = 1; i < ${#words[@]} - 1; i++)); do
        word=${words[i]}
        if [[ -n $taking ]]; then
            taking=""
        elif [[ -z $ended && $word == -- ]]; then
            ended=yes
        elif [[ -z $ended && $word == -?* ]]; then
            if [[ $takes_value == *" $word "* ]]; then taking=$word; fi
        elif [[ -z $command ]]; then
            command=$word
        else
            ((positions += 1))
        fi
    done

    value=${words[${#words[@]} - 1]}
    local typed=$value
    if [[ -n $taking ]]; then
        option=$taking
    elif [[ -z $ended && $value == --*=* ]]; then
        option=${value%%=*}
        value=${value#*=}
    fi

    _likesctl_table "$command"
    if [[ -n $option ]]; then
        _likesctl_offer_value "$option"
    elif [[ -z $ended && $value == -* ]]; then
        # shellcheck disable=SC2086 # lists of words without blanks
        _likesctl_offer $own $everywhere
    else
        # shellcheck disable=SC2086
        case $command:$positions in
            :*) _likesctl_offer $commands help ;;
            help:0) _likesctl_offer $commands ;;
            *) _likesctl_offer_argument "$command" "$positions" ;;
        esac
    fi

    # Readline replaces only what stands behind the last '=' or ':' where it parts words there.
    local breaks="" kept
    if [[ $COMP_WORDBREAKS == *=* ]]; then breaks+="="; fi
    if [[ $COMP_WORDBREAKS == *:* ]]; then breaks+=":"; fi
    if [[ -n $breaks && $value == *[$breaks]* ]]; then
        kept=${value##*["$breaks"]}
        kept=${value%"$kept"}
        COMPREPLY=("${COMPREPLY[@]#"$kept"}")
    elif [[ $typed != "$value" && $breaks != *=* ]]; then
        COMPREPLY=("${COMPREPLY[@]/#/$option=}")
    fi
}

complete -F _likesctl likesctl
