# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_fwmarkctl_global_optspecs
    string join \n c/config= state-dir= run-dir= backend= o/output= color= v/verbose q/quiet h/help V/version
end

function __fish_fwmarkctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_fwmarkctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_fwmarkctl_using_subcommand
    set -l cmd (__fish_fwmarkctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -s V -l version -d 'Print version'
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -f -a "check" -d 'Check the configuration; touch no kernel'
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -f -a "compile" -d 'Print what the configuration becomes, for other tools'
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -f -a "plan" -d 'Show what an apply would change; write nothing'
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -f -a "apply" -d 'Make the kernel hold what the configuration says, as one transaction'
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -f -a "watch" -d 'Apply, then stay and repair what others change, as it happens'
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -f -a "confirm" -d 'Keep what `apply --confirm-within` tries'
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -f -a "rollback" -d 'Return to an earlier generation; while a trial waits, to the state before it'
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -f -a "history" -d 'List the generations: what was applied, when, by whom, how it ended'
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -f -a "recover" -d 'Finish or undo an interrupted transaction; every command that writes does it first'
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -f -a "await-confirmation" -d 'Wait for the end of a trial, and return to the state before when nobody confirms it'
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -f -a "status" -d 'Show the groups: marks, services, real servers, connections'
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -f -a "stats" -d 'Show what was marked and what was scheduled, side by side, with rates'
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -f -a "zero" -d 'Count from zero: marks, services and real servers of the groups'
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -f -a "connections" -d 'List the connections of IPVS, and the templates of persistent clients'
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -f -a "clear" -d 'Remove all that is ours from the kernel, and nothing else'
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -f -a "real" -d 'Drain a real server of a group, or give it clients again'
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -f -a "realserver" -d 'Prepare a real server, on that machine: VIPs, ARP, tunnel device'
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -f -a "preset" -d 'The named services that `services` takes; needs no privilege'
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -f -a "export" -d 'Print what this director holds of ours as a configuration; read none'
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -f -a "doctor" -d 'Look for what on this director would stop traffic, and say what mends it'
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -f -a "import" -d 'Make groups of what other tools hold, as TOML; say what is in no group, and why'
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -f -a "explain" -d 'Explain what would happen to a packet here and now, or an error\'s or a finding\'s code'
complete -c fwmarkctl -n "__fish_fwmarkctl_needs_command" -f -a "completions" -d 'Print the completions of a shell'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand check" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand check" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand check" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand check" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand check" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand check" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand check" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand check" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand check" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand compile" -l format -d 'For which tool: nft, ipvsadm, iptables, ip6tables, or json for programs' -r -f -a "nft\t'For nft -f'
iptables\t'For iptables-restore'
ip6tables\t'For ip6tables-restore'
ipvsadm\t'For ipvsadm -R'
json\t'For programs'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand compile" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand compile" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand compile" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand compile" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand compile" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand compile" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand compile" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand compile" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand compile" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand plan" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand plan" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand plan" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand plan" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand plan" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand plan" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand plan" -l detailed-exitcode -d 'Exit with 3 when something would change'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand plan" -l adopt -d 'Show what taking over services that somebody else made on our marks would change'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand plan" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand plan" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand plan" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand apply" -l confirm-within -d 'Return to the state from before, unless `fwmarkctl confirm` comes within this time (60s, 5m, at most 24h)' -r
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand apply" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand apply" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand apply" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand apply" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand apply" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand apply" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand apply" -l boot -d 'Restore the last confirmed generation, as after a reboot, whatever the configuration says'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand apply" -l adopt -d 'Take over services that somebody else made on our marks'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand apply" -l no-wait -d 'Exit with 5 when another fwmarkctl is at work, instead of waiting for it'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand apply" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand apply" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand apply" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand watch" -l interval -d 'How often to look at IPVS, which tells nobody when it changes (0.1 to 3600)' -r
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand watch" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand watch" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand watch" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand watch" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand watch" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand watch" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand watch" -l no-apply -d 'Begin with what was applied last, whatever the configuration says'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand watch" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand watch" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand watch" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand confirm" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand confirm" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand confirm" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand confirm" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand confirm" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand confirm" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand confirm" -l no-wait -d 'Exit with 5 when another fwmarkctl is at work, instead of waiting for it'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand confirm" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand confirm" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand confirm" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand rollback" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand rollback" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand rollback" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand rollback" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand rollback" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand rollback" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand rollback" -l no-wait -d 'Exit with 5 when another fwmarkctl is at work, instead of waiting for it'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand rollback" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand rollback" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand rollback" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and not __fish_seen_subcommand_from show diff" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and not __fish_seen_subcommand_from show diff" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and not __fish_seen_subcommand_from show diff" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and not __fish_seen_subcommand_from show diff" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and not __fish_seen_subcommand_from show diff" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and not __fish_seen_subcommand_from show diff" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and not __fish_seen_subcommand_from show diff" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and not __fish_seen_subcommand_from show diff" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and not __fish_seen_subcommand_from show diff" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and not __fish_seen_subcommand_from show diff" -f -a "show" -d 'Show one generation with its state'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and not __fish_seen_subcommand_from show diff" -f -a "diff" -d 'Show what differs between two generations'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and __fish_seen_subcommand_from show" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and __fish_seen_subcommand_from show" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and __fish_seen_subcommand_from show" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and __fish_seen_subcommand_from show" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and __fish_seen_subcommand_from show" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and __fish_seen_subcommand_from show" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and __fish_seen_subcommand_from diff" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and __fish_seen_subcommand_from diff" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and __fish_seen_subcommand_from diff" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and __fish_seen_subcommand_from diff" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and __fish_seen_subcommand_from diff" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and __fish_seen_subcommand_from diff" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and __fish_seen_subcommand_from diff" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and __fish_seen_subcommand_from diff" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand history; and __fish_seen_subcommand_from diff" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand recover" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand recover" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand recover" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand recover" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand recover" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand recover" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand recover" -l abandon -d 'Forget the interrupted transaction or trial, and leave the kernel as it is'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand recover" -l no-wait -d 'Exit with 5 when another fwmarkctl is at work, instead of waiting for it'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand recover" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand recover" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand recover" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand await-confirmation" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand await-confirmation" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand await-confirmation" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand await-confirmation" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand await-confirmation" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand await-confirmation" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand await-confirmation" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand await-confirmation" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand await-confirmation" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand status" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand status" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand status" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand status" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand status" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand status" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand status" -l check -d 'Exit with 3 when the kernel differs from the configuration'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand status" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand status" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand status" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand stats" -l watch -d 'Show it again and again (2 to 3600)' -r
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand stats" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand stats" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand stats" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand stats" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand stats" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand stats" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand stats" -l rate -d 'Show what came each second, measured over 2 seconds or the time of --watch, instead of totals'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand stats" -l exact -d 'Show whole numbers instead of k, M, G (thousands)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand stats" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand stats" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand stats" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand zero" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand zero" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand zero" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand zero" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand zero" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand zero" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand zero" -l no-wait -d 'Exit with 5 when another fwmarkctl is at work, instead of waiting for it'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand zero" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand zero" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand zero" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand connections" -l client -d 'Only those of this client or network' -r
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand connections" -l real -d 'Only those to this real server, or to one port of it' -r
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand connections" -l state -d 'Only those in this state, by the kernel\'s word for it, such as established' -r
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand connections" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand connections" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand connections" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand connections" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand connections" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand connections" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand connections" -l templates -d 'Only templates: what ties persistent clients to real servers'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand connections" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand connections" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand connections" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand clear" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand clear" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand clear" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand clear" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand clear" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand clear" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand clear" -l yes -d 'Do not ask'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand clear" -l no-wait -d 'Exit with 5 when another fwmarkctl is at work, instead of waiting for it'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand clear" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand clear" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand clear" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and not __fish_seen_subcommand_from drain restore" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and not __fish_seen_subcommand_from drain restore" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and not __fish_seen_subcommand_from drain restore" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and not __fish_seen_subcommand_from drain restore" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and not __fish_seen_subcommand_from drain restore" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and not __fish_seen_subcommand_from drain restore" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and not __fish_seen_subcommand_from drain restore" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and not __fish_seen_subcommand_from drain restore" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and not __fish_seen_subcommand_from drain restore" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and not __fish_seen_subcommand_from drain restore" -f -a "drain" -d 'Take no new clients, and wait until those that are there have gone'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and not __fish_seen_subcommand_from drain restore" -f -a "restore" -d 'Give it the weight back that it had before it was drained'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and __fish_seen_subcommand_from drain" -l timeout -d 'How long to wait (60s, 5m, at most 24h)' -r
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and __fish_seen_subcommand_from drain" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and __fish_seen_subcommand_from drain" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and __fish_seen_subcommand_from drain" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and __fish_seen_subcommand_from drain" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and __fish_seen_subcommand_from drain" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and __fish_seen_subcommand_from drain" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and __fish_seen_subcommand_from drain" -l remove -d 'Remove it from its group when it is drained'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and __fish_seen_subcommand_from drain" -l force -d 'Drain the last one that takes clients; remove it even when the time is over'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and __fish_seen_subcommand_from drain" -l detach -d 'Return when it takes no new clients, instead of waiting for those it has'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and __fish_seen_subcommand_from drain" -l no-wait -d 'Exit with 5 when another fwmarkctl is at work, instead of waiting for it'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and __fish_seen_subcommand_from drain" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and __fish_seen_subcommand_from drain" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and __fish_seen_subcommand_from drain" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and __fish_seen_subcommand_from restore" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and __fish_seen_subcommand_from restore" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and __fish_seen_subcommand_from restore" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and __fish_seen_subcommand_from restore" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and __fish_seen_subcommand_from restore" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and __fish_seen_subcommand_from restore" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and __fish_seen_subcommand_from restore" -l no-wait -d 'Exit with 5 when another fwmarkctl is at work, instead of waiting for it'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and __fish_seen_subcommand_from restore" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and __fish_seen_subcommand_from restore" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand real; and __fish_seen_subcommand_from restore" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and not __fish_seen_subcommand_from up down status" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and not __fish_seen_subcommand_from up down status" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and not __fish_seen_subcommand_from up down status" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and not __fish_seen_subcommand_from up down status" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and not __fish_seen_subcommand_from up down status" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and not __fish_seen_subcommand_from up down status" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and not __fish_seen_subcommand_from up down status" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and not __fish_seen_subcommand_from up down status" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and not __fish_seen_subcommand_from up down status" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and not __fish_seen_subcommand_from up down status" -f -a "up" -d 'Make this machine take packets for the VIPs, and keep silent about them'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and not __fish_seen_subcommand_from up down status" -f -a "down" -d 'Undo what `up` did, and nothing else'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and not __fish_seen_subcommand_from up down status" -f -a "status" -d 'Show each VIP, parameter and device, and whether it is as it should be'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from up" -l vip -d 'A VIP, instead of those of the configuration, which is not read (repeatable)' -r
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from up" -l group -d 'Only this group, instead of those with an address of this machine (repeatable)' -r
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from up" -l method -d 'How packets come: dr, tun or nat; without it as the groups say, else dr' -r -f -a "dr\t'Direct routing'
tun\t'IP in IP'
nat\t'Address translation'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from up" -l director -d 'With nat: the director, which has to be the default route' -r
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from up" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from up" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from up" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from up" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from up" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from up" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from up" -l dry-run -d 'Show the steps; change nothing'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from up" -l no-wait -d 'Exit with 5 when another fwmarkctl is at work, instead of waiting for it'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from up" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from up" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from up" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from down" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from down" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from down" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from down" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from down" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from down" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from down" -l dry-run -d 'Show the steps; change nothing'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from down" -l no-wait -d 'Exit with 5 when another fwmarkctl is at work, instead of waiting for it'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from down" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from down" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from down" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from status" -l vip -d 'A VIP, instead of those of the configuration, which is not read (repeatable)' -r
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from status" -l group -d 'Only this group, instead of those with an address of this machine (repeatable)' -r
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from status" -l method -d 'How packets come: dr, tun or nat; without it as the groups say, else dr' -r -f -a "dr\t'Direct routing'
tun\t'IP in IP'
nat\t'Address translation'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from status" -l director -d 'With nat: the director, which has to be the default route' -r
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from status" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from status" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from status" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from status" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from status" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from status" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from status" -l check -d 'Exit with 3 when something is missing'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from status" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from status" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand realserver; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and not __fish_seen_subcommand_from list show" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and not __fish_seen_subcommand_from list show" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and not __fish_seen_subcommand_from list show" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and not __fish_seen_subcommand_from list show" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and not __fish_seen_subcommand_from list show" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and not __fish_seen_subcommand_from list show" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and not __fish_seen_subcommand_from list show" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and not __fish_seen_subcommand_from list show" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and not __fish_seen_subcommand_from list show" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and not __fish_seen_subcommand_from list show" -f -a "list" -d 'List them: name, ports, description'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and not __fish_seen_subcommand_from list show" -f -a "show" -d 'Show one: ports, where they are assigned, and the TOML that defines it'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and __fish_seen_subcommand_from list" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and __fish_seen_subcommand_from list" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and __fish_seen_subcommand_from list" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and __fish_seen_subcommand_from list" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and __fish_seen_subcommand_from list" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and __fish_seen_subcommand_from list" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and __fish_seen_subcommand_from show" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and __fish_seen_subcommand_from show" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and __fish_seen_subcommand_from show" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and __fish_seen_subcommand_from show" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and __fish_seen_subcommand_from show" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and __fish_seen_subcommand_from show" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand preset; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand export" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand export" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand export" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand export" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand export" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand export" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand export" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand export" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand export" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand doctor" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand doctor" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand doctor" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand doctor" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand doctor" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand doctor" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand doctor" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand doctor" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand import" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand import" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand import" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand import" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand import" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand import" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand import" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand import" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand import" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand explain" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand explain" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand explain" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand explain" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand explain" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand explain" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand explain" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand explain" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand explain" -s h -l help -d 'Print help'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand completions" -s c -l config -d 'Read this file instead of /etc/fwmarkctl (\'-\' is standard input; repeatable)' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand completions" -l state-dir -d 'Where the history is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand completions" -l run-dir -d 'Where what a reboot forgets is kept' -r -F
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand completions" -l backend -d 'What marks packets, whatever the configuration says: nftables or iptables' -r -f -a "nftables\t'nftables, by netlink'
iptables\t'iptables, by iptables-restore'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand completions" -s o -l output -d 'How to print: text or json' -r -f -a "text\t'For people'
json\t'One JSON document'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand completions" -l color -d 'When to colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand completions" -s v -l verbose -d 'Say more on standard error (repeatable)'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand completions" -s q -l quiet -d 'Print nothing but errors'
complete -c fwmarkctl -n "__fish_fwmarkctl_using_subcommand completions" -s h -l help -d 'Print help'
