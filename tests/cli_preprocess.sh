#!/usr/bin/env bash
# minicpmv preprocess, on golden cases of this project and on images made here.
. "$(dirname "$0")/command_line.sh"
model=golden/models/base-f32
tiny=tests/fixtures/tiny_processor

preprocess() { "$PROGRAM" preprocess -m "$model" "$@"; }
# raw IMAGES... -- OPTIONS...: with the processor of single bytes, the prompt as it is.
raw() { "$PROGRAM" preprocess -m "$tiny" --raw-prompt "$@"; }
# lines TEXT OPTIONS...: the lines of TEXT as requests.
lines() { printf '%b' "$1" | raw --jsonl "${@:2}"; }
# as_golden CASE OPTIONS...: whether every tensor that preprocess writes is in the case with the same numbers.
as_golden() {
    local case=golden/cases/$1
    shift
    preprocess "$@" -o "$work/inputs.safetensors" && "$PROGRAM" diff "$case/golden.safetensors" "$work/inputs.safetensors"
}

# image FILE WIDTH HEIGHT
image() {
    { printf 'P6 %d %d 255\n' "$2" "$3"; yes '0123456789abcdef' | head -c $(($2 * $3 * 3)); } >"$1"
}
image "$work/a.ppm" 60 60
image "$work/thin.ppm" 60 1
image "$work/tall.ppm" 30 120
printf 'P6 60 60 255\n01' >"$work/cut.ppm"
cp -r $tiny "$work/other" && echo '{{ messages }}' >"$work/other/chat_template.jinja"
a=$work/a.ppm tag='(<image>./</image>)'
frames=(golden/images/frame{00,01,02,03,04,05,06,07,08,09,10,11}.png)
groups='[[[0], [5, 10], [15, 20, 25], [30, 35, 40, 45, 50, 55]]]'

plan 37
expect "a golden case with slices" 0 '^all equal: 11 comparisons' as_golden sliced -i golden/images/large.png \
    -p 'Describe the image.' --max-slice-nums 4
expect "a golden case with packed frames" 0 '^all equal: 18 comparisons' as_golden video-groups "${frames[@]/#/--image=}" \
    -p 'What happens in the video?' --temporal-ids "$groups" --max-slice-nums 1 --use-image-id 0
expect "the prompt" 0 '"prompt": "<\|im_start\|>user\\n\(<image>./</image>\)\\nwhy\?<\|im_end\|>\\n' preprocess -i "$a" -p 'why?'
expect "images alone" 0 '"prompt": "<\|im_start\|>user\\n\(<image>./</image>\)<\|im_end\|>\\n' preprocess -i "$a"
expect "text alone" 0 '"image_sizes": \[\], "grids": \[\],.*"image_bound": \[\]' preprocess -p hi
expect "a system prompt" 0 '"prompt": "<\|im_start\|>system\\nBe brief.<\|im_end\|>\\n<\|im_start\|>user\\nhi' \
    preprocess -p hi --system 'Be brief.'
expect "thinking" 0 'assistant\\n<think>\\n", "image_sizes"' preprocess -p hi --thinking
expect "a finished prompt" 0 '"prompt": "x\(<image>./</image>\)", ' raw -i "$a" -p "x$tag"
expect "sizes" 0 '"image_sizes": \[\[60, 60\]\], "grids": \[\[1, 2\]\]' raw -i "$a" -p "$tag"
expect "slices" 0 '"slice_sizes": \[\[56, 56\], \[84, 42\], \[84, 42\]\], "tgt_sizes": \[\[4, 4\], \[3, 6\], \[3, 6\]\]' raw -i "$a" -p "$tag"
expect "no slices" 0 '"grids": \[null\].*"tgt_sizes": \[\[4, 4\]\]' raw -i "$a" -p "$tag" --max-slice-nums 1
expect "an image's number" 0 '"placeholders": \["<image_id>0</image_id><image><unk><unk></image>"\]' \
    raw -i "$a" -p "$tag" --max-slice-nums 1
expect "no image's number" 0 '"placeholders": \["<image><unk><unk></image>"\]' \
    raw -i "$a" -p "$tag" --max-slice-nums 1 --use-image-id 0
expect "packed frames" 0 '"skip_image_idx": \[1\], "temporal_ids": \[\[3, 7\]\]' \
    raw -i "$a" -i "$a" -p "$tag$tag" --max-slice-nums 1 --temporal-ids '[[3, 7]]'
expect "ids" 0 '"input_ids": \[65, 257, 256, 256, 258, 0\], "attention_mask": \[1, 1, 1, 1, 1, 0\], "image_bound": \[\[2, 4\]\]' \
    raw -i "$a" -p "b$tag!" --max-slice-nums 1 --use-image-id 0
expect "fewer ids" 0 '"input_ids": \[64, 65\]' raw -p abcd --max-inp-length 2
expect "all ids" 0 '"input_ids": \[64, 65, 66\]' raw -p abc --max-inp-length 0
result "another Pillow gives other pixels" \
    "$(cmp -s <(raw -i "$work/tall.ppm" -p "$tag") <(raw -i "$work/tall.ppm" -p "$tag" --pillow 12.1.0) && echo 'the same')"
expect "a file besides JSON" 0 '^\{"prompt"' raw -i "$a" -p "$tag" -o "$work/besides.safetensors" --json
result "a file alone prints nothing" "$(raw -i "$a" -p "$tag" -o "$work/alone.safetensors" 2>&1)"
result "both files are the same" "$(cmp "$work/besides.safetensors" "$work/alone.safetensors" 2>&1)"
expect "lines" 0 '"input_ids": \[65\]' lines '{"prompt": "a"}\n{"prompt": "b"}\n'
expect "lines go on from the options" 0 '"tgt_sizes": \[\[4, 4\]\]' \
    lines '{"images": ["'"$a"'"], "prompt": "'"$tag"'"}\n' --max-slice-nums 1
expect_error "no model" 2 'model' "$PROGRAM" preprocess -i "$a"
expect_error "lines into a file" 2 'cannot go with --jsonl' raw --jsonl -o "$work/x.safetensors"
expect_error "a version that is none" 2 "Pillow version 'new'" raw -p a --pillow new
expect_error "more images than places" 2 'has places for 0 images, found 1 images' raw -i "$a" -p a
expect_error "temporal ids for more images" 2 'temporal ids for 2 images, found 1' raw -i "$a" -p "$tag" --temporal-ids '[[0, 1]]'
expect_error "an image that is not there" 3 'none.png' raw -i "$work/none.png" -p "$tag"
expect_error "an image that is cut off" 3 'cut.ppm' raw -i "$work/cut.ppm" -p "$tag"
expect_error "an image 1 pixel high" 3 'an image of 60 x 1 pixels: the first image' raw -i "$work/thin.ppm" -p "$tag"
expect_error "an unknown key" 3 'line 1: request: unknown key "imges"' lines '{"imges": []}\n'
expect_error "a temporal id of another kind" 3 'request: temporal_ids\[0\]\[1\]: expected an integer' \
    lines '{"temporal_ids": [[0, "a"]]}\n'
expect_error "another chat template" 4 'chat_template.jinja' "$PROGRAM" preprocess -m "$work/other" -p a
expect_error "options of the template beside a finished prompt" 2 'thinking has no effect with --raw-prompt' raw -p a --thinking
expect_error "temporal ids of another kind" 2 'temporal_ids: expected an array' raw -i "$a" -p "$tag" --temporal-ids '"x"'
expect_error "a line without meaning is damaged input" 3 'line 1: temporal ids for a conversation without images' \
    lines '{"temporal_ids": [[0]]}\n'
finish
