#!/bin/sh
# The trace in compiler/README.md. The first block marked `nn` is the model softmax.nn; every block
# marked `console` begins with a command, and the lines below are what it prints. With --update the
# blocks are rewritten. Also: every file of the compiler stands in the README. In: the variables of
# tests/run.sh. Out: what differs, and last "N passed, M failed".
set -u
page=$(pwd)/compiler/README.md
passed=0
failed=0
rm -rf "$SCRATCH/docs"
mkdir -p "$SCRATCH/docs/bin"
ln -s "$NNC" "$SCRATCH/docs/bin/nnc"

# $SCRATCH/docs/K.sh is the command of block K, K.want the lines below it
awk -v to="$SCRATCH/docs" '
    /^```nn$/ && !model    { model = to "/softmax.nn"; open = model; next }
    /^```console$/         { k++; open = to "/" k ".sh"; next }
    /^```$/                { if (open) close(open); open = ""; next }
    !open                  { next }
    open ~ /\.sh$/         { print substr($0, 3) >open; close(open)
                             open = to "/" k ".want"; printf "" >open; next }
                           { print >open }' "$page"

cd "$SCRATCH/docs" || exit 2
for command in *.sh; do
    k=${command%.sh}
    PATH="$SCRATCH/docs/bin:$PATH" sh "$command" >"$k.got" 2>&1
    if [ "${1:-}" = --update ] || diff -u "$k.want" "$k.got" >"$k.diff"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED compiler/README.md: $(cat "$command")"
        cat "$k.diff"
    fi
done

if [ "${1:-}" = --update ]; then
    awk -v from="$SCRATCH/docs" '
        /^```console$/   { k++; inside = 1; print; getline; print
                           while ((getline line <(from "/" k ".got")) > 0) print line; next }
        /^```$/          { inside = 0 }
        !inside          { print }' "$page" >page && cp page "$page"
fi

cd "$(dirname "$page")" || exit 2
missing=$(for f in *.[chy] *.re *.def; do grep -qF "\`$f\`" "$page" || echo "$f"; done)
if [ -z "$missing" ]; then
    passed=$((passed + 1))
else
    failed=$((failed + 1))
    echo "FAILED compiler/README.md does not name" $missing
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
