#!/usr/bin/env bash
# Decoding and prompts beside llama.cpp: its llama-bench on a GGUF file and `minicpmv bench model` on the model that it was made
# of, in turn, so that both see the same machine.
#
#     bench/side_by_side.sh LLAMA_BENCH FILE.gguf FOLDER [RUNS] [options of `minicpmv bench model`]
#
# Prints a line a run and the medians. Results: bench/results/engine.md.
set -euo pipefail
[ $# -ge 3 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
llama=$1 gguf=$2 folder=$3 runs=${4:-3}
shift $(($# < 4 ? $# : 4))
PROGRAM=${PROGRAM:-build/minicpmv}
rows=$(mktemp)
trap 'rm -f "$rows"' EXIT

for ((run = 1; run <= runs; run++)); do
    "$llama" -m "$gguf" -p 64,512 -n 32 -r 1 -t "$(nproc)" -o jsonl 2>/dev/null |
        jq -r 'if .n_gen > 0 then "answer" else "prompt of \(.n_prompt)" end + "\tllama.cpp\t\(.avg_ts)"' | tee -a "$rows"
    "$PROGRAM" bench model -m "$folder" --repeats 1 --prompts 64,512 --answer 32 "$@" --json |
        jq -r '.stages[] | select(.unit == "tokens") | "\(.stage)\tminicpmv\t\(.per_second)"' | tee -a "$rows"
done
echo "medians, tokens a second:"
sort -t$'\t' -k1,2 -k3,3g "$rows" | awk -F'\t' '
    { key = $1 "\t" $2; value[key, ++count[key]] = $3 }
    END { for (key in count) printf "%s\t%.2f\n", key, value[key, int((count[key] + 1) / 2)] }' | sort
