#compdef fwmarkctl
# zsh completion of fwmarkctl, made by `fwmarkctl completions zsh`. The program itself
# knows what could stand where the cursor is, names of your configuration included.

_fwmarkctl() {
    local line value about files=
    local -a found
    while IFS=$'\t' read -r value about; do
        if [[ $value == : ]]; then
            files=yes
        elif [[ -n $about ]]; then
            found+=("${value//:/\\:}:$about")
        else
            found+=("${value//:/\\:}")
        fi
    done < <("${words[1]}" complete-words -- "${(@)words[2,CURRENT]}" 2>/dev/null)
    (( $#found )) && _describe -V fwmarkctl found
    [[ -n $files ]] && _files
    return 0
}

if [[ $funcstack[1] == _fwmarkctl ]]; then
    _fwmarkctl "$@"
else
    compdef _fwmarkctl fwmarkctl
fi
