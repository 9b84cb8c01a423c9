# Completion for gk-admin and gk-member. Installed as share/bash-completion/completions/gk-admin, or: . groupkeeper.bash
_groupkeeper()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} tool=${COMP_WORDS[0]##*/} words=() word options subs=""
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        [[ $word == -* ]] || words+=("$word")
    done
    case $prev in
        --ca|--cert|--key|--auth-file|--admin-key|--state|--state-key|--token-file|--trust|--out|--identity|--controller|--admin|--member-ca|--state-dir)
            if [[ $tool == gk-member && $prev == --identity ]]; then COMPREPLY=($(compgen -W "cert key" -- "$cur")); else COMPREPLY=($(compgen -f -- "$cur")); fi
            return ;;
        --mode) COMPREPLY=($(compgen -W "lkh flat" -- "$cur")); return ;;
        --keyed-by) COMPREPLY=($(compgen -W "controller servers" -- "$cur")); return ;;
        --admit) COMPREPLY=($(compgen -W "x509 token manual x509+manual token+manual" -- "$cur")); return ;;
        --log) COMPREPLY=($(compgen -W "error warn info debug" -- "$cur")); return ;;
        --connect|--root|--timeout|--wait|--period|--batch-window|--ring|--max-age|--match|--set|--reason|--ttl|--uses|--name|--days|--member|--as) return ;;
    esac
    if [[ $tool == gk-member ]]; then
        options="--state --state-key --connect --ca --cert --key --auth-file --root --wait --json --help --version"
        case ${words[0]} in
            "") subs="join run show leave refresh seal open" ;;
            join) options+=" --as --token-file --trust --identity" ;;
            run) options+=" --out --exec --signal --server-keyed --as" ;;
            seal) options+=" --allow-stale" ;;
        esac
    else
        options="--connect --ca --cert --key --auth-file --root --admin-key --timeout --json --help --version"
        case "${words[0]}:${words[1]}" in
            :) subs="keyring identity setup controller ca group member token servers audit doctor" ;;
            keyring:) subs="init show verify" ;;
            identity:) subs="new" ;;
            controller:) subs="run add remove status handover" ;;
            ca:) subs="init issue" ;;
            group:) subs="create list show rekey policy trust recover delete" ;;
            member:) subs="list show approve deny evict allow" ;;
            token:) subs="create revoke" ;;
            servers:) subs="status" ;;
            setup:) options+=" --controller --admin" ;;
            audit:) options+=" --follow --group" ;;
            controller:run) options+=" --id --identity --listen --peer --state-dir --log" ;;
            ca:issue) options+=" --name --out --dns --uri --email --days" ;;
            group:create) options+=" --keyed-by --member --mode --admit --member-ca --match --period --batch-window --ring --max-age --set --reason" ;;
            group:policy) options+=" --set --reason" ;;
            group:rekey) options+=" --wait --reason --keyed-by" ;;
            group:recover) options+=" --yes --reason" ;;
            group:delete|member:evict) options+=" --yes --reason --keyed-by" ;;
            group:show|member:list|member:show) options+=" --keyed-by" ;;
            member:allow) options+=" --reason --keyed-by" ;;
            member:*|token:revoke|controller:handover) options+=" --reason" ;;
            token:create) options+=" --ttl --uses --reason" ;;
        esac
    fi
    if [[ $cur == -* || -z $subs ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$cur"))
        [[ $cur == -* || ${#COMPREPLY[@]} -gt 0 && -n $cur ]] || COMPREPLY=($(compgen -f -- "$cur"))
    else
        COMPREPLY=($(compgen -W "$subs" -- "$cur"))
    fi
}
complete -F _groupkeeper gk-admin gk-member
