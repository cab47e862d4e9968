# fish completion for bulkput. `bulkput completion fish` prints it.

# Ask what may stand at the cursor, once: fish looks at both rules below for each command line.
function __bulkput_ask
    set -l line (commandline -cp | string collect)
    test "$PWD $line" = "$__bulkput_asked"; and return
    set -g __bulkput_asked "$PWD $line"
    set -l program (string replace -r '^~/' "$HOME/" -- (commandline -opc)[1])
    set -g __bulkput_answers (env _BULKPUT_COMPLETE=fish_complete _BULKPUT_LINE=$line $program 2>/dev/null)
end

function __bulkput_words
    __bulkput_ask
    for answer in $__bulkput_answers
        set -l fields (string split \t -- $answer) # kind, value, help
        switch $fields[1]
            case plain open
                string join \t -- $fields[2..3]
            case dir
                set -l flag (string match -r -- '^--[^=]*=' (commandline -ct)) # --base=DIR
                printf '%s\n' "$flag"(__fish_complete_directories $fields[2] '')
        end
    end
end

function __bulkput_has_files
    __bulkput_ask
    string match -q 'file*' -- $__bulkput_answers
end

complete --command bulkput --no-files --keep-order --arguments '(__bulkput_words)'
complete --command bulkput --condition __bulkput_has_files --force-files
