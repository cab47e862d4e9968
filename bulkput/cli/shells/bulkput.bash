# bash completion for bulkput. `bulkput completion bash` prints it; it needs bash 4.4 or later.

_bulkput() {
    local line=${COMP_LINE:0:COMP_POINT} typed kind value help paths=''
    typed=${line##*[[:space:]]}
    COMPREPLY=()
    while IFS=$'\t' read -r kind value help || [[ -n $kind ]]; do
        case $kind in
        plain) COMPREPLY+=("$value") ;;
        open) COMPREPLY+=("$value") && compopt -o nospace ;;
        file | dir) paths=$kind ;;
        esac
    done < <(_BULKPUT_COMPLETE=bash_complete _BULKPUT_LINE=$line "${1/#\~\//$HOME/}" 2>/dev/null)

    if [[ $paths && ${#COMPREPLY[@]} -eq 0 ]]; then
        # Only paths: readline completes them itself, with quotes and ~ as the user has them.
        case $paths in
        file) compopt -o default ;;
        dir) compopt -o dirnames ;;
        esac
    elif [[ $paths ]]; then
        # Paths and URLs. As file names, readline would show `swift://` as `/`.
        while IFS= read -r value; do
            [[ -d $value ]] && value+=/
            COMPREPLY+=("$value")
        done < <(compgen -f -- "$typed")
    fi

    # readline takes : and = for the ends of words, and replaces only what follows the last one.
    [[ $typed == *[:=]* ]] && COMPREPLY=("${COMPREPLY[@]#"${typed%"$2"}"}")
}

complete -o nosort -F _bulkput bulkput
