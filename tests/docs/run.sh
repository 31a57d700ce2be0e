#!/bin/sh
# Pages that show what commands print. The first block marked `nn` of a page is its model; every
# block marked `console` begins with a command, and the lines below are what it prints. With
# --update the blocks are rewritten. Also: every file of the compiler stands in its README. In: the
# variables of tests/run.sh. Out: what differs, and last "N passed, M failed".
set -u
passed=0
failed=0
mode=${1:-}
docs=$SCRATCH/docs
rm -rf "$docs"
mkdir -p "$docs/bin"
ln -s "$NNC" "$docs/bin/nnc"

page() { # FILE MODEL : K.sh is the command of block K, K.want the lines below it
    name=$1
    page=$(pwd)/$1
    mkdir "$docs/$2"
    awk -v to="$docs/$2" -v model="$2.nn" '
        /^```nn$/ && model     { open = to "/" model; model = ""; next }
        /^```console$/         { k++; open = to "/" k ".sh"; next }
        /^```$/                { if (open) close(open); open = ""; next }
        !open                  { next }
        open ~ /\.sh$/         { print substr($0, 3) >open; close(open)
                                 open = to "/" k ".want"; printf "" >open; next }
                               { print >open }' "$page"
    cd "$docs/$2" || exit 2
    for command in *.sh; do
        k=${command%.sh}
        PATH="$docs/bin:$PATH" sh "$command" >"$k.got" 2>&1
        if [ "$mode" = --update ] || diff -u "$k.want" "$k.got" >"$k.diff"; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            echo "FAILED $name: $(cat "$command")"
            cat "$k.diff"
        fi
    done
    if [ "$mode" = --update ]; then
        awk -v from="$docs/$2" '
            /^```console$/   { k++; inside = 1; print; getline; print
                               while ((getline line <(from "/" k ".got")) > 0) print line; next }
            /^```$/          { inside = 0 }
            !inside          { print }' "$page" >page && cp page "$page"
    fi
    cd "$OLDPWD" || exit 2
}

page compiler/README.md softmax
page examples/lenet/README.md lenet

cd compiler || exit 2
missing=$(for f in *.[chy] *.re *.def; do grep -qF "\`$f\`" README.md || echo "$f"; done)
if [ -z "$missing" ]; then
    passed=$((passed + 1))
else
    failed=$((failed + 1))
    echo "FAILED compiler/README.md does not name" $missing
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
