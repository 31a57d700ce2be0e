# draw.awk - networks.tsv as a drawing: for each network and task, how many times longer than nnc every
# contender takes, on a logarithmic scale
function x(ratio) { return 150 + 560 * (log(ratio) / log(10) + 0.5) / 4.5 }
{ row = $1 " " $2 }
!(row in seen) { seen[row]; order[++rows] = row }
{ us[row, $3] = $4; if (!($3 in column)) { column[$3]; names[++peers] = $3 } }
$3 ~ /^nnc/ && (!(row in best) || $4 < best[row]) { best[row] = $4 }
END {
    split("#d62728 #ff9896 #1f77b4 #17becf #2ca02c #9467bd #8c564b", colour, " ")
    height = 60 + 22 * rows
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"740\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">\n", height
    print "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
    for (p = 1; p <= peers; p++)
        printf "<circle cx=\"%d\" cy=\"16\" r=\"5\" fill=\"%s\"/><text x=\"%d\" y=\"20\">%s</text>\n",
            30 + 100 * (p - 1), colour[p], 40 + 100 * (p - 1), names[p]
    for (e = 0; e <= 4; e++)
        printf "<line x1=\"%d\" x2=\"%d\" y1=\"34\" y2=\"%d\" stroke=\"#ccc\"/><text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%dx</text>\n",
            x(10 ^ e), x(10 ^ e), height - 20, x(10 ^ e), height - 6, 10 ^ e
    for (r = 1; r <= rows; r++) {
        y = 26 + 22 * r
        printf "<text x=\"10\" y=\"%d\">%s</text>\n", y + 4, order[r]
        for (p = 1; p <= peers; p++)
            if ((order[r], names[p]) in us && order[r] in best)
                printf "<circle cx=\"%.1f\" cy=\"%d\" r=\"5\" fill=\"%s\" fill-opacity=\"0.8\"/>\n",
                    x(us[order[r], names[p]] / best[order[r]]), y, colour[p]
    }
    print "</svg>"
}
