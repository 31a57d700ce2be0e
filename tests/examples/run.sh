#!/bin/sh
# The examples. Each is built as its README says, and what it prints is compared with expected.txt,
# which must also stand in its README; its .nn file's own tests run; its C is free of warnings. The
# README in the top folder is held against the files that it shows. In: the variables of
# tests/run.sh. Out: what failed, and last "N passed, M failed".
set -u
unset MAKEFLAGS MAKELEVEL MFLAGS
build=$(dirname "$NNC")
fashion=/usr/share/datasets/fashion-mnist
. tests/check.sh

make_program() {
    make --no-print-directory B="$build" CC="$CC" CFLAGS="$CFLAGS" SANFLAGS="${SANFLAGS:-}" "$1"
}

same_output() { # EXPECTED COMMAND.. : whatever its exit status is
    expected=$1
    shift
    "$@" >"$SCRATCH/out" 2>&1
    diff -u "$expected" "$SCRATCH/out"
}

# Do the lines of $2 stand in $1, one after the other?
contains() {
    awk 'NR == FNR { want[++n] = $0; next }
         { line[++m] = $0 }
         END {
             for (i = 0; i + n <= m; i++) {
                 for (k = 1; k <= n && line[i + k] == want[k]; k++) {}
                 if (k > n) exit 0
             }
             print "its lines do not stand in the README"
             exit 1
         }' "$2" "$1"
}

clean() { # COMPILER FILE FOLDER
    "$1" -std=c11 -Wall -Wextra -Wconversion -Wshadow -pedantic -Werror -D_POSIX_C_SOURCE=200809L \
        -I"$INCLUDE" -I"$build/examples/$3" -Iexamples/"$3" -Iexamples/common -fsyntax-only "$2"
}

# Of a writing example the tests use the build for this processor. What takes gcc half a minute is
# left to clang, whose sanitizers would not fit the library of another compiler.
binary_of() {
    case $1 in chars | gpt) echo "$build/examples/$1/native" ;; *) echo "$build/examples/$1/$1" ;; esac
}
quick=$CC
[ -n "${SANFLAGS:-}" ] || quick=$(command -v clang || echo "$CC")
large=
small=
for folder in examples/*/; do
    e=$(basename "$folder")
    case $e in
        common) ;;
        residual | chars | gpt) large="$large $(binary_of $e)" ;;
        *) small="$small $(binary_of $e)" ;;
    esac
done
# side by side; what does not build is reported below
make -k -j2 --no-print-directory B="$build" CC="$CC" CFLAGS="$CFLAGS" SANFLAGS="${SANFLAGS:-}" \
    $small >"$SCRATCH/build.log" 2>&1
make -k -j2 --no-print-directory B="$build" CC="$quick" CFLAGS="$CFLAGS" SANFLAGS="${SANFLAGS:-}" \
    $large >>"$SCRATCH/build.log" 2>&1

for folder in examples/*/; do
    e=$(basename "$folder")
    if [ "$e" != common ]; then
        check "$e: its own tests" env CC="$quick" "$NNC" test "examples/$e/$e.nn"
        check "$e: build" make_program "$(binary_of $e)"
    fi
    for cc in $COMPILERS; do
        for c in examples/"$e"/*.c; do
            case $c in */predict.c) continue ;; esac # its header comes with the program below
            check "$cc $c" clean $cc "$c" "$e"
        done
    done
    [ -f "examples/$e/expected.txt" ] || continue
    check "$e: output" same_output "examples/$e/expected.txt" "$build/examples/$e/$e"
    check "$e: README" contains "examples/$e/README.md" "examples/$e/expected.txt"
done

through() { (cd examples/gates && "$NNC" check through_the_threshold.nn); }
check "gates: the error" same_output examples/gates/through_the_threshold.txt through
check "gates: the error in the README" \
    contains examples/gates/README.md examples/gates/through_the_threshold.txt

# PROGRAM ARGUMENT..: a small training, after which $SCRATCH/out has what it said
tries() {
    e=$1
    shift
    "$build/examples/$e/$e" "$@" >"$SCRATCH/out" || { cat "$SCRATCH/out"; return 1; }
}
# NUMBER "<" or ">" NUMBER, where the first stands in $SCRATCH/out behind the last of the WORDS
finds() { # WORDS SIGN NUMBER
    awk -v words="$1" -v sign="$2" -v bound="$3" '
        (at = index($0, words)) { found = substr($0, at + length(words)) + 0; seen = 1 }
        END { exit !(seen && (sign == "<" ? found < bound : found > bound)) }' "$SCRATCH/out"
}
is_png() { # FILE : the signature, and the end of the last chunk
    [ "$(head -c 8 "$1" | od -An -tx1)" = " 89 50 4e 47 0d 0a 1a 0a" ] &&
        [ "$(tail -c 8 "$1" | od -An -tx1)" = " 49 45 4e 44 ae 42 60 82" ]
}

check "physics: learns" tries physics 2000 "$SCRATCH/weights" "$SCRATCH/physics.svg"
check "physics: is exact" finds "the largest error is" "<" 0.01
check "physics: the picture" grep -c '^<polyline .*/>$' "$SCRATCH/physics.svg"

# The text is the description of the language. What is saved gives the same loss again.
reads() { # PROGRAM EPOCHS
    "$build/examples/$1/native" compiler/LANGUAGE.md "$2" "$SCRATCH/$1.weights" >"$SCRATCH/out"
}
continues() { # PROGRAM EPOCHS
    reads "$1" "$2" && told=$(sed -n 's/.* the loss on the held-out text is //p' "$SCRATCH/out") &&
        reads "$1" 0 && grep -x "held out $told" "$SCRATCH/out"
}
refuses() { # PROGRAM FILE MESSAGE
    "$build/examples/$1/native" "$2" 1 "$SCRATCH/none" >"$SCRATCH/out" 2>&1
    [ $? -eq 2 ] && grep "$3" "$SCRATCH/out"
}
awk 'BEGIN { for (c = 1; c < 256; c++) printf "\\%o", c }' | xargs -0 printf >"$SCRATCH/every"
for e in chars gpt; do
    check "$e: learns, saves and loads" continues $e 8
    check "$e: has learned" finds "held out" "<" 3.4
    check "$e: a text that is too short" refuses $e LICENSE "at least"
    check "$e: no text" refuses $e "$SCRATCH/no such file" "cannot be read"
    check "$e: too many characters" refuses $e "$SCRATCH/every" "different characters"
done

if [ -d $fashion ]; then
    check "lenet: learns" tries lenet $fashion 1 "$SCRATCH/weights" 6400
    check "lenet: is right" finds "test accuracy" ">" 70
    check "residual: learns" tries residual $fashion 1 "$SCRATCH/weights" 2560
    check "residual: is right" finds "test accuracy" ">" 60
    check "vae: learns" tries vae $fashion 1 "$SCRATCH/weights" "$SCRATCH/vae.png" 6400
    check "vae: reconstructs" finds "test: reconstruction" "<" 320
    check "vae: the picture" is_png "$SCRATCH/vae.png"
    learn() { "$build/examples/digits/digits" $fashion 1 "$SCRATCH/$1" >"$SCRATCH/$1.out"; }
    lines() { grep '^epoch' "$SCRATCH/$1.out" | sed 's/ *[0-9]* s left$//'; }
    repeats() { learn again && [ "$(lines first)" = "$(lines again)" ]; }
    agrees() { # predict finds the accuracy that digits found, 82.53 % is 8253 of 10000
        told=$(lines first | sed -n 's/.* \([0-9]*\)\.\([0-9]*\) %$/\1\2/p')
        "$build/examples/digits/predict" $fashion "$SCRATCH/first" >"$SCRATCH/predict.out" &&
            grep "^right on $told of 10000 " "$SCRATCH/predict.out" && [ "$told" -ge 8000 ]
    }
    check "digits: build predict" make_program "$build/examples/digits/predict"
    check "digits: learns" learn first
    check "digits: learns the same again" repeats
    check "digits: the saved weights" agrees
fi

check "lenet: README, the model" contains examples/lenet/README.md examples/lenet/lenet.nn
sed -n '/^fn corr2d/,/^}/p' compiler/std/conv.nn >"$SCRATCH/formula"
check "lenet: README, the formula" contains examples/lenet/README.md "$SCRATCH/formula"

if [ -f README.md ]; then
    check "README: how to embed" contains README.md examples/neuron/main.c
    sed '/^test /,$d' examples/neuron/neuron.nn | sed '$d' >"$SCRATCH/model"
    check "README: the model" contains README.md "$SCRATCH/model"
    sed -n '/NN_NAME(learn)/,/^}/p' "$build/examples/neuron/neuron.c" >"$SCRATCH/learn"
    check "README: the C" contains README.md "$SCRATCH/learn"
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
