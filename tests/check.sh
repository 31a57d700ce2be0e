# check.sh - counting for suites that are shell scripts: sourced, with a file's name in $log.
# Out: the variables passed and failed.
passed=0
failed=0
log=${log:-$SCRATCH/log}

check() { # NAME COMMAND.. : one test, passed when the command succeeds
    what=$1
    shift
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED ${name:+$name: }$what"
        head -n 20 "$log"
    fi
}

tally() { # COMMAND.. : a suite, whose last line is "N passed, M failed"
    "$@" >"$log" 2>&1
    counts=$(sed -n '$s/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$log")
    sed '$d' "$log"
    if [ -z "$counts" ]; then
        echo "FAILED $*"
        cat "$log"
        counts="0 1"
    fi
    passed=$((passed + ${counts% *}))
    failed=$((failed + ${counts#* }))
}
