# fish completion of fwmarkctl, made by `fwmarkctl completions fish`. The program itself
# knows what could stand where the cursor is, names of your configuration included.

function __fwmarkctl_complete
    set -l before (commandline -opc)
    set -l word (commandline -ct)
    for line in ($before[1] complete-words -- $before[2..-1] "$word" 2>/dev/null)
        if string match -q ':*' -- $line
            __fish_complete_path "$word"
        else
            echo $line
        end
    end
end

complete -c fwmarkctl -f -a '(__fwmarkctl_complete)'
