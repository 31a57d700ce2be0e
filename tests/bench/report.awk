# report.awk - networks.tsv (NETWORK TASK CONTENDER MICROSECONDS FLOOR) and costs.tsv (NETWORK COMPILER
# NNC-SECONDS CC-SECONDS CODE TRAIN-WORK PREDICT-WORK) as the tables of report.md
function number(x) { return x < 10 ? sprintf("%.3f", x) : x < 1000 ? sprintf("%.1f", x) : sprintf("%.0f", x) }
function add(list, key, seen) { if (!((list, key) in seen)) { seen[list, key]; item[list, ++count[list]] = key } }
FNR == 1 { file++ }
file == 1 {
    row = $1 " " $2
    add("row", row, known)
    add("peer", $3, known)
    us[row, $3] = $4
    if ($5 > 0) floor_us[row] = $5
}
file == 2 { costs[++cost] = $0 }
END {
    print "Microseconds, least of many in turn; in brackets how much longer than nnc with the faster compiler."
    print "The floor is the arithmetic of products and convolutions at the measured peak of FMA instructions.\n"
    line = "| network | floor | nnc / floor |"
    rule = "|-|-|-|"
    for (p = 1; p <= count["peer"]; p++) { line = line " " item["peer", p] " |"; rule = rule "-|" }
    print line "\n" rule
    for (r = 1; r <= count["row"]; r++) {
        row = item["row", r]
        best = 0
        for (p = 1; p <= count["peer"]; p++) {
            t = us[row, item["peer", p]]
            if (item["peer", p] ~ /^nnc/ && t && (!best || t < best)) best = t
        }
        f = floor_us[row]
        line = "| " row " | " (f ? number(f) : "") " | " (f && best ? sprintf("%.0f %%", 100 * f / best) : "") " |"
        for (p = 1; p <= count["peer"]; p++) {
            t = us[row, item["peer", p]]
            mine = item["peer", p] ~ /^nnc/
            line = line " " (t ? number(t) (mine || !best ? "" : sprintf(" (%.2f)", t / best)) : "-") " |"
        }
        print line
    }
    print "\nWhat a network costs: processor seconds of nnc and of the compiler, bytes of code and of the work areas.\n"
    print "| network | compiler | nnc s | cc s | code | work, train | work, predict |\n|-|-|-|-|-|-|-|"
    for (i = 1; i <= cost; i++) {
        line = costs[i]
        gsub(/ /, " | ", line)
        print "| " line " |"
    }
}
