#!/usr/bin/env bash
# What this project signs for: the logits of every golden case, by engine and element type, bit for bit. Prints TAP.
# EMULATOR: what runs the program where this machine cannot.
. "$(dirname "$0")/command_line.sh"

plan "$(ls golden/results/*.json | wc -l)"
for file in golden/results/*.json; do
    name=$(basename "$file" .json)
    words=$(${EMULATOR:-} "$PROGRAM" logits golden/cases/* --check "$file" --engine "${name%%-*}" --dtype "${name#*-}" 2>&1)
    case $? in
    0) result "$name, ${words##*$'\n'}" "" ;;
    4) skip "$name" "$words" ;;
    *) result "$name" "$(tail -n 3 <<<"$words")" ;;
    esac
done
finish
