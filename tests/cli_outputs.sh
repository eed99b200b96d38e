#!/usr/bin/env bash
# What a command writes never takes the place of what it reads. Prints TAP.
. "$(dirname "$0")/command_line.sh"
model=golden/models/base-f32
cp golden/images/scene.png "$work/scene.png"
cp -r golden/cases/single "$work/case"
cp -r $model "$work/model"
sed -i "s|\"\\.\\./\\.\\./|\"$PWD/golden/|" "$work/case/case.json"
cp "$work/case/golden.safetensors" "$work/dump.safetensors"
"$PROGRAM" logits -m $model -p hi --save "$work/kept" >/dev/null
before=$(find "$work" -type f ! -name out ! -name err -print0 | sort -z | xargs -0 cksum)

plan 18
expect_error "preprocess over its picture" 2 'take the place of .*scene.png, --image' "$PROGRAM" preprocess -m $model -i "$work/scene.png" -o "$work/scene.png"
ln -s scene.png "$work/link.png"
expect_error "under another name" 2 'take the place of' "$PROGRAM" preprocess -m $model -i "$work/scene.png" -o "$work/link.png"
expect_error "dump over its picture" 2 'take the place of' "$PROGRAM" dump -m $model -p hi -i "$work/scene.png" -o "$work/scene.png"
expect_error "dump over the case" 2 'case.json, a file of the case' "$PROGRAM" dump --case "$work/case" -o "$work/case/case.json"
expect_error "a contact sheet over the model" 2 'take the place of' "$PROGRAM" preprocess -m "$work/model" --video golden/images/animated.gif --contact-sheet "$work/model/config.json"
expect_error "a report over the golden file" 2 'golden.safetensors, a file of the case' "$PROGRAM" verify "$work/case" --report "$work/case/golden.safetensors"
expect_error "JUnit over the case" 2 'case.json, a file of the case' "$PROGRAM" verify "$work/case" --junit "$work/case/case.json"
expect_error "a report over the model" 2 'a file of the model' "$PROGRAM" verify "$work/case" -m "$work/model" --report "$work/model/model.safetensors"
expect_error "a report over a dump" 2 'which is read' "$PROGRAM" diff "$work/dump.safetensors" "$work/case/golden.safetensors" --report "$work/dump.safetensors"
expect_error "logits over those that they are held to" 2 'kept, --check' "$PROGRAM" logits -m $model -p hi --check "$work/kept" --save "$work/kept"
printf 'some text, some more of it' >"$work/text"
expect_error "eval's logits over its text" 2 'text, --text' "$PROGRAM" eval -m $model --text "$work/text" --save "$work/text"
expect_error "a random model over another" 2 'holds a model already' "$PROGRAM" synth --like $model -o "$work/model"
pair=("$PROGRAM" quantize -m $model --type Q8_0 -o "$work/language.gguf" --vision-output)
expect_error "a vision side of no type" 2 '--vision-type Q9: no such type' "${pair[@]}" "$work/vision.gguf" --vision-type Q9
expect_error "a vision side in no folder" 3 'nowhere/vision.gguf: cannot be created' "${pair[@]}" "$work/nowhere/vision.gguf"
result "before the language model is written" "$(find "$work" -name '*.gguf*')"
expect "a report beside the case" 0 '^all equal' "$PROGRAM" verify "$work/case" --report "$work/case/report.html"
expect "and again" 0 '^all equal' "$PROGRAM" verify "$work/case" --report "$work/case/report.html"
rm "$work/case/report.html" "$work/text" "$work/link.png"
result "nothing has changed" "$(diff <(echo "$before") <(find "$work" -type f ! -name out ! -name err -print0 | sort -z | xargs -0 cksum))"
finish
