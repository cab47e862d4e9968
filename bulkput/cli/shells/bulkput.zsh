#compdef bulkput
# zsh completion for bulkput. `bulkput completion zsh` prints it.

_bulkput() {
    local line="${words[1,CURRENT-1]} $QIPREFIX$PREFIX" kind value help paths=''
    local -i before=$compstate[nmatches]
    local -a plain described open
    while IFS=$'\t' read -r kind value help || [[ -n $kind ]]; do
        case $kind in
        plain) if [[ -n $help ]]; then described+=("${value//:/\\:}:$help"); else plain+=("$value"); fi ;;
        open) open+=("$value") ;;
        file | dir) paths=$kind ;;
        esac
    done < <(_BULKPUT_COMPLETE=zsh_complete _BULKPUT_LINE=$line ${~words[1]} 2>/dev/null)

    (( $#described )) && _describe -V bulkput described
    (( $#plain )) && compadd -V values -a plain
    (( $#open )) && compadd -V places -S '' -a open
    [[ -n $paths && $PREFIX == --*=* ]] && compset -P '*=' # --journal=FILE
    case $paths in
    file) _files ;;
    dir) _path_files -/ ;;
    esac
    (( compstate[nmatches] > before ))
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _bulkput "$@" # a file in fpath
else
    compdef _bulkput bulkput # sourced
fi
