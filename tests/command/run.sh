#!/bin/sh
# The command line as a person meets it: exit codes, messages, files. In: NNC, SCRATCH (see
# tests/run.sh). Out: what failed, and "N passed, M failed".
set -u
here=$(cd "$(dirname "$0")" && pwd)
cd "$SCRATCH" || exit 2
cp "$here"/*.nn "$here"/*.c .
passed=0
failed=0

# expect CODE TEXT COMMAND...: the exit code, and a text somewhere in the output of both streams
expect() {
    code=$1
    text=$2
    shift 2
    out=$("$@" 2>&1)
    status=$?
    if [ "$status" -eq "$code" ] && printf '%s\n' "$out" | grep -qF -- "$text"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED %s\n  exit %s, expected %s and: %s\n%s\n' "$*" "$status" "$code" "$text" "$out"
    fi
}

# is NAME COMMAND...: the command succeeds
is() {
    name=$1
    shift
    if "$@" >/dev/null 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED %s: %s\n' "$name" "$*"
    fi
}

# help
expect 0 "usage:" "$NNC"
expect 0 "nnc run graph.nn value" "$NNC" --help
expect 0 "nnc 0." "$NNC" --version
expect 0 "examples:" "$NNC" compile --help
expect 0 "examples:" "$NNC" help compile
expect 0 "hyperbolic tangent" "$NNC" help ops
expect 0 "param W" "$NNC" help language
expect 0 "simplify" "$NNC" help passes
expect 0 "E0302" "$NNC" help errors
expect 0 "E0302" "$NNC" explain E0302

# wrong usage
expect 2 'did you mean `compile`' "$NNC" compil graph.nn
expect 2 'did you mean `nnc check graph.nn`' "$NNC" graph.nn
expect 2 'did you mean `language`' "$NNC" help langauge
expect 2 'did you mean `E0302`' "$NNC" explain E032
expect 2 'did you mean `--seed`' "$NNC" run --sed 1 graph.nn value
expect 2 'did you mean `value`' "$NNC" run graph.nn valeu 1 2 3
expect 2 'did you mean `simplify`' "$NNC" show graph.nn --after=simplfy
expect 2 'which file' "$NNC" check
expect 2 'needs a value' "$NNC" compile graph.nn -o
expect 2 'f32 or f64' "$NNC" check graph.nn --real f16
expect 2 'text, dot or svg' "$NNC" show graph.nn --graph=png
expect 2 'NAME=VALUE' "$NNC" check graph.nn -D H

# run
expect 0 "-12" "$NNC" run graph.nn value -2 5 -4
expect 0 "-4
-4
3" "$NNC" run graph.nn gradient -2 5 -4
expect 0 "-12" "$NNC" run - value -2 5 -4 <graph.nn
expect 0 "[3, 7]" "$NNC" run values.nn rows '[[1, 2], [3, 4]]'
expect 0 "[2, 4, 6]" "$NNC" run values.nn twice '[1, 2, 3]'
expect 0 "[5, 10, 15]" "$NNC" run values.nn twice '[1, 2, 3]' 5
expect 0 "0.1" "$NNC" run values.nn half 0.2
expect 0 "Infinity" "$NNC" run values.nn half Infinity
expect 0 "true" "$NNC" run values.nn above 2
expect 2 '[1] has 1 elements, others have 2' "$NNC" run values.nn rows '[[1, 2], [3]]'
expect 2 'the argument `x` is missing' "$NNC" run values.nn rows
expect 2 '2 arguments for half' "$NNC" run values.nn half 1 2
expect 2 'must be real[N, 2]' "$NNC" run values.nn rows '[[1, 2, 3]]'
expect 2 'not an i32' "$NNC" run values.nn pick 1.5
expect 2 'which entry?' "$NNC" run values.nn
header="{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }"
printf '\223NUMPY\001\000v\000%-117s\n\000\000\200?\000\000\000@' "$header" >row.npy
expect 0 "[3]" "$NNC" run values.nn rows @row.npy
echo '[[4, 5]]' >row.json
expect 0 "[9]" "$NNC" run values.nn rows @row.json
expect 2 'cannot read `none.npy`' "$NNC" run values.nn rows @none.npy

# seeds and files
is "the same seed, the same numbers" sh -c \
    '[ "$("$NNC" run values.nn first --seed 3)" = "$("$NNC" run values.nn first --seed 3)" ]'
is "another seed, other numbers" sh -c \
    '[ "$("$NNC" run values.nn first --seed 3)" != "$("$NNC" run values.nn first --seed 4)" ]'
expect 2 "not a number" "$NNC" run values.nn first --seed x
expect 4 "cannot" "$NNC" run values.nn first --params none.safetensors

# tensors FILE HEADER DATA: a safetensors file; both as printf takes them, the header at most 999 long
tensors() {
    header=$(printf '%-1000s' "$2")
    { printf '\350\003\000\000\000\000\000\000%s' "$header" && printf "$3"; } >"$1"
}
row() { printf '"%s":{"dtype":"%s","shape":[%s],"data_offsets":[%s]}' "$@"; }
weights='\000\000\300?\000\000\000@'
tensors w.safetensors "{$(row w F32 2 0,8)}" "$weights"
expect 0 "1.5" "$NNC" run kept.nn weight --params w.safetensors
expect 0 "1.5" "$NNC" run values.nn first --params w.safetensors
expect 4 "tensor w has type F32" "$NNC" run values.nn first --params w.safetensors --real f64
tensors three.safetensors "{$(row w F32 3 0,12)}" "$weights$weights"
expect 4 "three.safetensors" "$NNC" run values.nn first --params three.safetensors
tensors v.safetensors "{$(row v F32 2 0,8)}" "$weights"
expect 4 "tensor v is not" "$NNC" run values.nn first --params v.safetensors
tensors all.safetensors "{$(row params.w F32 2 0,8),$(row state.seed U64 "" 8,16),$(
    row state.call U64 "" 16,24),$(row state.total F64 "" 24,32),$(row state.count I32 "" 32,36),$(
    row state.half F16 "" 36,38),$(row state.small I8 "" 38,39),$(row state.byte U8 "" 39,40),$(
    row state.on BOOL "" 40,41)}" "$weights"'\003\000\000\000\000\000\000\000\001\000\000\000\000\000\000\000'\
'\000\000\000\000\000\000\004@\377\377\377\377\000\076\376\310\001'
expect 0 "1.5" "$NNC" run kept.nn weight --params all.safetensors
expect 0 "2.5 1.5 -1 -2 200 true" sh -c 'echo $("$NNC" run kept.nn kept --params all.safetensors)'
is "the seed that was saved" sh -c \
    '[ "$("$NNC" run kept.nn draw --params all.safetensors)" = "$("$NNC" run kept.nn draw --seed 3)" ]'

# check and test
expect 0 "" "$NNC" check graph.nn
expect 1 "E0201" "$NNC" check wrong.nn
expect 4 'cannot read `none.nn`' "$NNC" check none.nn
expect 0 "2 passed, 0 failed" "$NNC" test graph.nn
expect 3 "1 passed, 4 failed" "$NNC" test failing.nn
expect 3 "left   3" "$NNC" test failing.nn
expect 3 "E0406" "$NNC" test failing.nn
expect 0 "note: no C compiler" env CC=no-such-compiler "$NNC" test graph.nn

# show
expect 0 "d_q = d_value * z" "$NNC" show graph.nn value --grad
expect 0 "d_q = -4" "$NNC" show graph.nn value --at x=-2,y=5,z=-4
expect 0 "digraph" "$NNC" show graph.nn value --graph=dot
expect 2 'no argument `w`' "$NNC" show graph.nn value --at w=1
expect 2 "only a real scalar" "$NNC" show values.nn rows --grad
expect 4 "install graphviz" env PATH=/nonexistent "$NNC" show graph.nn value --graph=svg
for pass in parse lower simplify hoist recompute fuse schedule plan; do
    expect 0 "" "$NNC" show graph.nn --after=$pass
done

# compile
is "compile" "$NNC" compile graph.nn -o gen --depfile graph.d
is "both files" test -s gen/graph.h -a -s gen/graph.c
expect 0 "gen/graph.c gen/graph.h:" cat graph.d
touch -t 200001010000 gen/graph.c
is "compile again" "$NNC" compile graph.nn -o gen
is "an unchanged output is not rewritten" sh -c '[ -z "$(find gen/graph.c -newer graph.nn)" ]'
expect 0 "#include" "$NNC" compile graph.nn -o -
expect 1 "E0604" "$NNC" compile graph.nn --name 2nd
expect 1 "E0604" "$NNC" compile graph.nn --name int
expect 1 "E0601" "$NNC" compile values.nn -D Q=1
expect 4 "cannot make the folder" "$NNC" compile graph.nn -o graph.nn/x
expect 0 "RAM" "$NNC" size values.nn

# data as an index outside: the nearest row, a stop with the place, or unchecked
E='[[1, 2], [3, 4], [5, 6], [7, 8]]'
expect 2 "clamp, trap or off" "$NNC" compile bounds.nn --bounds=wrap
expect 0 "[[7, 8], [1, 2]]" "$NNC" run bounds.nn rows "$E" '[9, -1]'
expect 2 "bounds.nn:3: the index 9 is not inside 0..3" "$NNC" run bounds.nn rows "$E" '[9, -1]' --bounds=trap
expect 2 "the index -1 is not inside 0..3" "$NNC" run bounds.nn rows "$E" '[1, -1]' --bounds=off
expect 2 "bounds.nn:5: the index 2 is not inside 0..1" "$NNC" run bounds.nn pairs "$E" '[1]' '[2]' --bounds=trap
expect 0 "[4]" "$NNC" run bounds.nn pairs "$E" '[1]' '[2]'
expect 0 "1 passed" "$NNC" test bounds.nn --bounds=trap
outside() { # HOW INDEX+5: as compiled with --bounds=HOW
    "$NNC" compile bounds.nn -o "bounds_$1" --bounds="$1" &&
        ${CC:-cc} -O1 -DNN_ONE_ISA -I"bounds_$1" -I"$INCLUDE" bounds.c "bounds_$1/bounds.c" "$RUNTIME" -lm -o "bounds_$1/main" &&
        "./bounds_$1/main" "$2"
}
expect 0 "7 8" outside clamp 9
expect 0 "1 2" outside clamp 4
expect 134 "bounds.nn:3: the index 4 is not inside 0..3" outside trap 9
expect 134 "bounds.nn:3: the index -1 is not inside 0..3" outside trap 4
expect 0 "5 6" outside trap 7
expect 0 "5 6" outside off 7
is "unchecked is unchecked" sh -c '! grep -q "nn_row\|? 0" bounds_off/bounds.c'
is "a place found by argmax needs no check" sh -c '! sed -n "/NN_NAME(best)/,/^}/p" bounds_trap/bounds.c | grep nn_row'
cp "$here/../lang/exp_signs.nn" . && "$NNC" compile exp_signs.nn -o exp_signs
is "exponents that are never positive" sh -c '[ "$(grep -c "nn_exp_neg(" exp_signs/exp_signs.c)" = 5 ]'
is "exponents of any sign" sh -c '[ "$(grep -c "nn_exp(" exp_signs/exp_signs.c)" = 4 ]'
is "the derivative checks too" sh -c 'sed -n "/NN_NAME(slope)/,/^}/p" bounds_trap/bounds.c | grep nn_row'
for cc in $COMPILERS; do
    is "$cc: the checks without a warning" $cc -std=c11 -Wall -Wextra -Wconversion -pedantic -Werror -DNN_ONE_ISA -I"$INCLUDE" -c bounds_trap/bounds.c -o bounds.o
done

# compile --direct
cp "$here/../lang/winograd.nn" .
for flags in "" --direct "--max-ram 100M" "--real f64"; do
    "$NNC" compile winograd.nn $flags -o - | grep -c 'nn_winograd[a-z_]*(' >>calls
done
is "who takes Winograd's algorithm" sh -c '[ "$(echo $(cat calls))" = "3 0 0 0" ]'
is "which takes more room" sh -c '[ "$("$0" size winograd.nn | sed -n "s/ //g;s/^RAM\([0-9]*\).*/\1/p")" -gt "$("$0" size winograd.nn --direct | sed -n "s/ //g;s/^RAM\([0-9]*\).*/\1/p")" ]' "$NNC"

# compile --max-ram
expect 0 "\`train\`: work area 94 KiB -> 54 KiB" "$NNC" compile deep.nn -o gen --max-ram 100k
is "what is computed again says so" grep -q "(1) again" gen/deep.c
expect 0 "" "$NNC" compile deep.nn -o unbound
expect 0 "" "$NNC" compile deep.nn -o roomy --max-ram 1MiB
is "where everything fits nothing changes" cmp unbound/deep.c roomy/deep.c
expect 0 "values computed again, arithmetic +" "$NNC" size deep.nn --max-ram 0.1MB
expect 0 "work 55040 bytes" "$NNC" show deep.nn train --after=plan --max-ram 102400
expect 0 "1 passed, 0 failed" "$NNC" test deep.nn --max-ram 94k
expect 1 "[E0603]" "$NNC" compile deep.nn -o gen --max-ram 60000
expect 1 "[E0603]" "$NNC" compile deep.nn -o gen --max-ram=1
for bad in 20q -5 "" k 1kk 0 1e30; do
    expect 2 'a number of bytes such as 65536, 64k or 1.5M' "$NNC" compile deep.nn --max-ram="$bad"
done

# compile --weights: the same results as a model in memory, in every way to build them
weighted() { # FOLDER CC FLAGS..: what its program says of the results
    folder=$1 cc=$2
    shift 2
    $cc -O1 ${SANFLAGS:-} -DWEIGHTS "$@" -I"$folder" -I"$INCLUDE" weights.c "$folder/weights.c" "$RUNTIME" -lm \
        -o "$folder/main" && "$folder/main" compare results
}
is "a model that learns" "$NNC" compile weights.nn -o learns
${CC:-cc} -O1 ${SANFLAGS:-} -Ilearns -I"$INCLUDE" weights.c learns/weights.c "$RUNTIME" -lm -o learns/main
expect 0 "484 results written" learns/main save weights.safetensors results
expect 0 'without `train`, `gradient`: with --weights' "$NNC" compile weights.nn -o weighted --weights weights.safetensors --depfile weights.d
expect 0 "weights.safetensors:" cat weights.d
expect 0 "484 results are the same" weighted weighted "${CC:-cc}"
for level in scalar sse2 avx2; do
    expect 0 "484 results are the same" env NN_ISA=$level weighted/main compare results
done
expect 0 "484 results are the same" weighted weighted "${CC:-cc}" -DNN_SCALAR -DNN_ONE_ISA
is "only what is updated is in memory" sh -c '[ "$(grep -c "^    float" weighted/weights.h)" = 1 ]'
is "halves stay halves" grep -q "static const uint16_t weights_halves\[24\]\[6\]" weighted/weights.c
is "a large constant is stored once" sh -c '[ "$(grep -c "static const float weights_E" weighted/weights.c)" = 1 ]'
is "a normalisation is in the kernel" grep -q "max(0, conv(t1, net.Block1.k_scaled, pad = (1, 1)) + net.Block1.k_bias)" weighted/weights.c
is "a kernel is packed" grep -q "k_packed\[2\]\[2\]\[20\]\[18\]" weighted/weights.c
is "the same bytes again" sh -c '"$NNC" compile weights.nn -o again --weights weights.safetensors && cmp weighted/weights.c again/weights.c'
is "compile --weights --single-file" "$NNC" compile weights.nn -o weighted_single --weights weights.safetensors --single-file
expect 0 "484 results are the same" weighted weighted_single "${CC:-cc}" -DNN_ONE_ISA
for cc in $COMPILERS; do
    for folder in weighted weighted_single; do
        is "$cc: $folder without a warning" $cc -std=c11 -Wall -Wextra -Wconversion -Wshadow -pedantic -Werror -DNN_ONE_ISA -I"$INCLUDE" -c $folder/weights.c -o weights.o
    done
done
is "convolutions in one file" "$NNC" compile weights.nn -o learns_single --single-file
is "g++: convolutions in one file without a warning" g++ -std=c++17 -Wall -Wextra -Wshadow -pedantic -Werror -DNN_ONE_ISA -x c++ -fsyntax-only learns_single/weights.c
is "no model where nothing is left of it" "$NNC" compile weights.nn -o weighted_part --weights weights.safetensors --entries predict,tied
expect 0 "void weights_predict(int N, const float *x, float *out, void *work);" cat weighted_part/weights.h
is "no struct there" sh -c '! grep "struct\|init\|nn.h" weighted_part/weights.h'
expect 0 "parameters  0 bytes" "$NNC" size weights.nn --weights weights.safetensors --entries predict
expect 0 "tables      " "$NNC" size weights.nn --weights weights.safetensors
expect 1 'weights.nn:46:3: error: entry `train` updates' "$NNC" compile weights.nn --weights weights.safetensors --entries predict,train
expect 1 'entry `gradient` returns a set of parameters' "$NNC" compile weights.nn --weights weights.safetensors --entries gradient
expect 4 "none.safetensors: cannot open the file" "$NNC" compile weights.nn --weights none.safetensors
expect 4 "is not in the model" "$NNC" compile kept.nn --weights weights.safetensors
expect 4 "tensor w has shape [3], the model has [2]" "$NNC" compile kept.nn --weights three.safetensors
tensors empty.safetensors "{}" ""
expect 4 "tensor w is missing" "$NNC" compile kept.nn --weights empty.safetensors
expect 4 "tensor w has type F32, the model has F64" "$NNC" compile kept.nn --weights w.safetensors --real f64
expect 4 "hint: names, types and shapes are those of" "$NNC" compile kept.nn --weights three.safetensors
head -c 700 weights.safetensors >cut.safetensors
expect 4 "cut off" "$NNC" compile weights.nn --weights cut.safetensors
expect 0 'no state `total`, which keeps its first value' "$NNC" compile kept.nn -o gen --weights w.safetensors
tensors nan.safetensors "{$(row w F32 2 0,8)}" '\000\000\300\177\000\000\200\377'
is "numbers that are none" "$NNC" compile kept.nn -o gen --weights nan.safetensors --entries weight
expect 0 "NAN" cat gen/kept.c

# compile --profile, size --flops
profiled() { # FOLDER FLAGS..: the table that the program prints
    folder=$1
    shift
    ${CC:-cc} -O1 ${SANFLAGS:-} "$@" -I"$folder" -I"$INCLUDE" timed.c "$folder/timed.c" "$RUNTIME" -lm -o "$folder/main" &&
        "$folder/main"
}
without_profile() { # FILE: the functions without the lines that measure
    sed -n '/^#ifdef NN_ISA/,/^#else \/\* once/p' "$1" | sed -e '/NN_START/d' -e '/NN_STOP.*;$/d' -e '/NN_STOP/,/;$/d'
}
is "compile --profile" "$NNC" compile timed.nn -o profiled --profile
is "compile --profile --single-file" "$NNC" compile timed.nn -o profiled_single --profile --single-file
is "compile" "$NNC" compile timed.nn -o unprofiled
for flag in -DNN_ONE_ISA -DNN_SCALAR -UNN_ONE_ISA; do
    expect 0 "steps: right" profiled profiled $flag
done
expect 0 "steps: right" profiled profiled_single -DNN_ONE_ISA
expect 0 "GB/s   floor   equation" profiled profiled -DNN_ONE_ISA -DNN_PEAK=1e9
expect 0 "steps: right" profiled profiled
expect 0 "scores: 2 calls" profiled/main
expect 0 "(1) out = x @ W   timed.nn:8" profiled/main
expect 0 "train: 5 calls" profiled/main
for level in scalar sse2; do
    expect 0 "steps: right" env NN_ISA=$level profiled/main
done
is "no floor without NN_PEAK" sh -c '! profiled/main | grep floor'
is "an entry without calls has no lines" sh -c '! profiled/main | grep never'
is "nothing is measured without --profile" sh -c '! grep -i "NN_START\|profile\|stdio" unprofiled/timed.[ch]'
without_profile profiled/timed.c >profiled/functions
without_profile unprofiled/timed.c >unprofiled/functions
is "the functions are there" grep -q "NN_NAME(train)" unprofiled/functions
is "the kernels are those without --profile" cmp profiled/functions unprofiled/functions
for cc in $COMPILERS; do
    for folder in profiled profiled_single; do
        is "$cc: $folder without a warning" $cc -std=c11 -Wall -Wextra -Wconversion -Wshadow -pedantic -Werror -DNN_ONE_ISA -I"$INCLUDE" -fsyntax-only $folder/timed.c
    done
done
is "g++: profiled without a warning" g++ -std=c++17 -Wall -Wextra -Wshadow -pedantic -Werror -DNN_ONE_ISA -I"$INCLUDE" -x c++ -fsyntax-only profiled/timed.c
printf 'entry profile(x: real) -> real = x * x;\n' >taken.nn
expect 2 'a function `taken_profile`, which entry `profile` is' "$NNC" compile taken.nn --profile
is "that name without --profile" "$NNC" compile taken.nn -o gen
expect 2 'no option `--profile`' "$NNC" size timed.nn --profile
expect 0 "480 000                         960 000         256 000   out = x @ W" "$NNC" size timed.nn --flops
cat >causal.nn <<'END'
import std.attention;
entry scores(x: real[64, 8], y: real[64, 8]) -> real[64, 64] = causal[64]() ? x @ y' : -inf;
END
expect 0 "x @ y', only j <= i" "$NNC" size causal.nn --flops
expect 0 "480 000           1 600         961 600         256 000   out = tanh(x @ W)" "$NNC" size timed.nn --flops

# `require` speaks of the work area that is emitted
{ echo 'import std.rnn; dim T in 1..60; cell = LSTM[40];'
  echo 'training entry train(xs: real[T, 8, 30]) -> real {'
  echo '  require sizeof(work) <= 1, "small";'
  echo '  L = mean(cell(xs)^2); update params = params - 0.1 * grad(L, params); return L;'
  echo '}'; } >footprint.nn
sed '/require/d' footprint.nn >roomy.nn
bytes=$("$NNC" show roomy.nn train --after=plan | sed -n 's/^work \([0-9]*\) bytes.*/\1/p')
expect 1 "\`train\`: work ${bytes:-unknown}, stack" "$NNC" check footprint.nn

# who asks for the gradient of one part gets no backward code for the rest
{ echo 'dim N in 1..4; net = Dense[8, act = tanh]; top = Dense[3];'
  echo 'entry part(x: real[N, 6]) = grad(sum(top(net(x))^2), params(top));'
  echo 'entry whole(x: real[N, 6]) = grad(sum(top(net(x))^2), params);'; } >partial.nn
is "a gradient of one part" "$NNC" compile partial.nn -o gen --entries part
without() { ! grep -q "$1" "$2"; }
is "its code for that part" grep -q d_top_W gen/partial.c
is "no code for the rest" without d_net gen/partial.c
is "a gradient of all" "$NNC" compile partial.nn -o gen --entries whole
is "its code for all" grep -q d_net gen/partial.c

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
