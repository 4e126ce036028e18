# bash completion of fwmarkctl, made by `fwmarkctl completions bash`. The program itself
# knows what could stand where the cursor is, names of your configuration included.

_fwmarkctl() {
    local line="${COMP_LINE:0:COMP_POINT}" word value
    local -a words
    # By blanks alone: bash takes an address apart at its colons.
    read -r -a words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    word="${words[-1]}"
    COMPREPLY=()
    while IFS=$'\t' read -r value _; do
        if [[ $value == : ]]; then
            compopt -o default 2>/dev/null
        elif [[ $value == "$word"* ]]; then
            # Only what is behind the last sign at which bash takes a word apart.
            [[ $word == *[:=]* ]] && value="${value#"${word%"${word##*[:=]}"}"}"
            COMPREPLY+=("$value")
        fi
    done < <("${words[0]}" complete-words -- "${words[@]:1}" 2>/dev/null)
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
    return 0
}

complete -F _fwmarkctl fwmarkctl
