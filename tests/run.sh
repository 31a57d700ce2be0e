#!/bin/sh
# Runs all tests and adds them up. In: the build folder (and the variables make hands on). Out: what
# failed, a line for each suite, and last "N passed, M failed"; the exit status is 1 when M > 0.
# A suite is a program whose last line is "N passed, M failed". These run: the unit tests, the
# programs with trailer blocks, and every tests/*/run.sh, with the variables NNC (the compiler),
# RUNTIME (libnnrt.a), INCLUDE (the runtime's headers), SCRATCH (a folder of its own), CC, CFLAGS and
# COMPILERS.
set -u
build=${1:?usage: tests/run.sh BUILD-FOLDER}
top=$(pwd)
case $build in /*) ;; *) build=$top/$build ;; esac
export NNC="$build/nnc" RUNTIME="$build/libnnrt.a" INCLUDE="$top/runtime"
export CC="${CC:-cc}" CFLAGS="${CFLAGS:--O2}"
# those of the two that there are
COMPILERS=$(for cc in gcc clang; do ! command -v $cc >/dev/null || echo $cc; done)
export COMPILERS
export NO_COLOR=1
passed=0
failed=0

scratch_for() {
    SCRATCH="$build/tests/$(echo "$1" | tr '/ ' '__')"
    export SCRATCH
}

# Runs NAME COMMAND.. and keeps what it said; report counts it.
run() {
    scratch_for "$1"
    shift
    rm -rf "$SCRATCH"
    mkdir -p "$SCRATCH"
    "$@" >"$SCRATCH.log" 2>&1
    echo $? >"$SCRATCH.status"
}

report() {
    name=$1
    scratch_for "$name"
    status=$(cat "$SCRATCH.status")
    last=$(tail -n 1 "$SCRATCH.log")
    p=$(echo "$last" | sed -n 's/^\([0-9][0-9]*\) passed, \([0-9][0-9]*\) failed$/\1/p')
    f=$(echo "$last" | sed -n 's/^\([0-9][0-9]*\) passed, \([0-9][0-9]*\) failed$/\2/p')
    # a suite that died counts as one failure, whatever it managed to say
    if [ -z "$p" ] || { [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; }; then
        p=${p:-0}
        f=1
    fi
    [ "$f" -eq 0 ] || tail -n 200 "$SCRATCH.log"
    printf '%-28s %5d passed, %d failed\n' "$name" "$p" "$f"
    passed=$((passed + p))
    failed=$((failed + f))
}

suite() {
    run "$@"
    report "$1"
}

# The longest suites wait for compilers, so the others run beside them.
beside="tests/c tests/threads"
for folder in $beside; do run $folder sh $folder/run.sh & done
suite unit "$build/unit_tests"
quick=$(command -v clang || echo "$CC") # takes a third of gcc's time
for folder in tests/lang tests/errors; do
    suite "$folder" env CC="$quick" "$build/trailers" "$NNC" "$build/tests/trailers_$(basename $folder)" "$folder"
done
for script in tests/*/run.sh; do
    folder=$(dirname "$script")
    case " $beside " in *" $folder "*) continue ;; esac
    [ ! -f "$script" ] || suite "$folder" sh "$script"
done
wait
for folder in $beside; do report $folder; done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
