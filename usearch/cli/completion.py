"""`usearch completion`: scripts with which a shell completes the command line."""

from __future__ import annotations

from typing import Annotated

import typer

from usearch.cli.output import result
from usearch.errors import UsageError

_BASH = r"""
_usearch() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("${line%%$'\t'*}")
    done < <("${1/#\~/$HOME}" completion bash -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o bashdefault -o default -F _usearch usearch
"""

_ZSH = r"""
#compdef usearch
_usearch() {
    local line
    local -a found
    while IFS= read -r line; do
        found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    done < <("${words[1]/#\~/$HOME}" completion zsh -- "${(@)words[2,CURRENT]}" 2>/dev/null)
    if (( ${#found} )); then
        _describe -V usearch found
    else
        _files
    fi
}
if [ "$funcstack[1]" = "_usearch" ]; then
    _usearch "$@"
else
    compdef _usearch usearch
fi
"""

_FISH = r"""
function __usearch_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -e words[1]
    set -l found (command usearch completion fish -- $words "$current" 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path "$current"
    end
end
complete -c usearch -f -a '(__usearch_complete)'
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def completion(
    shell: Annotated[
        str, typer.Argument(metavar="bash|zsh|fish", help="The shell to print the script for.")
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WORD]...",
            help="Used by the scripts, after `--`: print what may take the place of the last word.",
        ),
    ] = None,
) -> None:
    """Print the script that completes commands and options in a shell.

    \b
    usearch completion bash > ~/.local/share/bash-completion/completions/usearch
    usearch completion zsh > ~/.zfunc/_usearch        # a folder of your fpath
    usearch completion fish > ~/.config/fish/completions/usearch.fish
    source <(usearch completion bash)                 # for this terminal only
    """
    if shell not in SCRIPTS:
        raise UsageError(f"there is no script for {shell!r}", f"one of {', '.join(SCRIPTS)}")
    if words is None:
        for line in SCRIPTS[shell].strip("\n").splitlines():
            result(line)
        return
    from usearch.cli.candidates import candidates

    for word, said in candidates(words):
        result(f"{word}\t{said}")
