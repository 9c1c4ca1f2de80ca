# SPDX-License-Identifier: LGPL-2.1-or-later
# Completion for fish: memhpctl itself knows what a word may become.

function __memhpctl_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    $words[1] complete -- $words[2..-1] "$word" 2>/dev/null | while read -l line
        switch $line
            case :file
                __fish_complete_path (string replace -r -- '^--[^=]*=' '' "$word")
            case :folder
                __fish_complete_directories (string replace -r -- '^--[^=]*=' '' "$word")
            case '*'
                echo $line
        end
    end
end

complete -c memhpctl -f -a '(__memhpctl_complete)'
