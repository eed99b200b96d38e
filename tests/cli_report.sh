#!/usr/bin/env bash
# The page of verify --report and diff --report: one file that needs nothing else, and what it shows. In a browser where
# chromium is installed.
. "$(dirname "$0")/command_line.sh"
page=$work/page.html

# data FILE: the results in a page, as JSON.
data() {
    sed -nE 's|^<script id="data" type="application/json">(.*)</script>$|\1|p' "$1"
}

# holds PYTHON: ok where the expression is true of the results `r` in the page; `rows` are those of the last case.
holds() {
    if ! command -v python3 >/dev/null; then
        skip "$1" "python3 is not installed"
        return
    fi
    result "$1" "$(data "$page" | python3 -c "import json,sys; r=json.load(sys.stdin); rows={x['name']: x for x in r['cases'][-1]['rows']}; sys.exit(0 if $2 else repr(r)[:500])" 2>&1)"
}

# A page that, once drawn, presses every button and says in its title what came of it.
try_out() {
    sed 's|^"use strict";$|&\nwindow.onerror = (words) => { document.body.dataset.error = words; };|' "$1"
    cat <<'SCRIPT'
<script>
for (const metric of ["ulp", "exact", "rel_l2"]) {
  const select = document.getElementById("metric");
  select.value = metric;
  select.dispatchEvent(new Event("change"));
  for (let i = 0; i < document.querySelectorAll("button").length; i += 3) document.querySelectorAll("button")[i].click();
}
document.querySelectorAll(".chips button")[0].click();
document.body.dataset.cells = document.querySelectorAll(".cell").length;
</script>
SCRIPT
}

browse() {
    timeout 60 chromium --headless=new --no-sandbox --disable-gpu --enable-logging=stderr --user-data-dir="$work/profile" \
        --virtual-time-budget=5000 --dump-dom "file://$1" 2>"$work/browser.log"
}

plan 18
expect "verify writes a page" 0 '^all equal: ' "$PROGRAM" verify golden/cases/{text-only,video-groups,single} --report "$page"
result "it refers to nothing else" "$(grep -nE '(src|href)="[^d]|https?://|@import|url\(' "$page" | grep -v 'http://www.w3.org/2000/svg' | cut -c 1-200)"
result "nothing in the results looks like a tag" "$(data "$page" | grep -o '<.\{0,20\}' | head -n 3)"
holds "every row, in the order of execution" "len(rows) == 78 and list(rows)[:3] == ['prompts', 'temporal_ids', 'input_ids'] and all(x['pass'] for x in rows.values())"
holds "histograms count every element" "all(sum(n for _, n in x['histogram']) == x['compared'] for x in rows.values() if 'histogram' in x)"
holds "the worst elements, worst first" "len(rows['vpm']['worst']) == 8 and (lambda d: all(a >= 0.9 * b for a, b in zip(d, d[1:])))([abs(e['ours'] - e['golden']) for e in rows['vpm']['worst']])"
holds "what is demanded" "'0.5 of golden' in rows['vpm']['demand'] and rows['input_ids']['demand'] == 'equal'"
holds "slices with the attention of the resampler" "r['cases'][1]['vision']['queries'] > 1 and sum(len(g) for g in r['cases'][1]['vision']['groups']) == 12 and all(s['png'].startswith('iVBOR') and s['weights'] for g in r['cases'][1]['vision']['groups'] for s in g)"
holds "files, versions and hashes" "r['cases'][2]['weights'][0]['found'] == r['cases'][2]['weights'][0]['recorded'] and r['cases'][2]['versions']['torch'] and [f['role'] for f in r['cases'][2]['files']] == ['golden', 'exact (FP64)', 'model'] and r['about']['command'].startswith('minicpmv verify --report')"
expect "rows that are only shown" 0 '^all equal: ' "$PROGRAM" verify golden/cases/single --engine fast --dtype int8 --report "$page"
holds "are marked" "r['summary']['shown_rows'] == sum(x['shown'] for x in rows.values()) == 4 and rows['text.greedy']['shown'] and not rows['vpm']['shown'] and rows['generated_ids.greedy']['demand'] == 'nothing (shown only)'"
expect "a model that differs" 1 '^first divergence: single: ' "$PROGRAM" verify golden/cases/single -m golden/models/foreach-f16 --report "$page"
holds "its failures" "r['summary']['differs'] and 'single' in r['summary']['first_place'] and not all(x['pass'] for x in rows.values())"
"$PROGRAM" dump --quiet --case golden/cases/text-only -o "$work/dump.safetensors" >/dev/null
expect "diff writes one, too" 0 '^all equal: ' "$PROGRAM" diff "$work/dump.safetensors" golden/cases/text-only/golden.safetensors --report "$page"
holds "of both files" "[f['role'] for f in r['cases'][0]['files']] == ['compared', 'golden'] and 'vision' not in r['cases'][0]"
expect_error "a page that cannot be written" 3 'nowhere/page.html' "$PROGRAM" verify golden/cases/text-only --report "$work/nowhere/page.html"
if command -v chromium >/dev/null; then
    "$PROGRAM" verify golden/cases/{single,video-groups} -m golden/models/base-f32 --report "$page" >/dev/null
    try_out "$page" >"$work/tried.html"
    dom=$(browse "$work/tried.html")
    result "a browser draws it, and its buttons work" "$(grep -oE '<body data-cells="[1-9][0-9]+"' <<<"$dom" | grep -q . && ! grep -o 'data-error="[^"]*"' <<<"$dom" || head -c 600 <<<"$dom")"
    result "without a message on its console" "$(grep CONSOLE "$work/browser.log")"
else
    skip "a browser draws it, and its buttons work" "chromium is not installed"
    skip "without a message on its console" "chromium is not installed"
fi
finish
