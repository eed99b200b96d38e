#!/usr/bin/env bash
# minicpmv preprocess --video and chat --video. Videos are made here: Y4M by printf, others by the program ffmpeg where it is installed.
. "$(dirname "$0")/command_line.sh"
model=golden/models/base-f32

video() { "$PROGRAM" preprocess -m "$model" --video "$@"; }
# y4m FILE COUNT RATE: gray pictures of 40 x 30 pixels, each of its own brightness.
y4m() {
    local i
    printf 'YUV4MPEG2 W40 H30 F%s Cmono\n' "$3" >"$1"
    for ((i = 0; i < $2; i++)); do
        printf 'FRAME\n'
        head -c 1200 /dev/zero | tr '\0' "\\$(printf '%03o' $((16 + i)))"
    done >>"$1"
}
# What the JSON says behind what it says of the video.
sampling_of() { video "$@" | sed 's/.*"packing"/"packing"/'; }
png_size() { od -An -tu1 -j16 -N8 "$1" | awk '{ print $3 * 256 + $4, $7 * 256 + $8 }'; }

y4m "$work/a.y4m" 100 10:1
mkdir "$work/folder" && for i in 8 9 10; do printf 'P6 %d 20 255\n%s' $((i * 2)) "$(head -c $((i * 120)) /dev/zero | tr '\0' x)" >"$work/folder/p$i.ppm"; done
printf '0\n1.5\n4\n' >"$work/times"
printf 'YUV4MPEG2 W40 H30\n' >"$work/none.y4m"
a=$work/a.y4m

plan 44
expect "all frames" 0 '"packing": 1, "frame_indices": \[0, 1, 2, 3,.* 98, 99\], "timestamps": \[0.0, 0.1' video "$a" --fps 10 --json
expect "the int32 cast loses ticks" 0 '\[41\], \[42\], \[42\], \[44\]' video "$a" --fps 10
expect "groups" 0 '"temporal_ids": \[\[0, 1, 2\], \[3, 4, 5\], ' video "$a" --fps 10 --force-packing 3
expect "a group that is short" 0 '\[96, 97, 98\], \[99\]\]' video "$a" --fps 10 --force-packing 3
expect "three frames a second" 0 '"frame_indices": \[1, 5, 8, 11,' video "$a"
expect "packing follows from the length" 0 '"packing": 4, ' video "$a" --fps 10 --max-frames 25 --packing 6
expect "within its limit" 0 '"packing": 2, "frame_indices": \[1, 3, ' video "$a" --fps 10 --max-frames 25 --packing 2
expect "forced packing, too" 0 '"packing": 2, ' video "$a" --force-packing 6 --packing 2
expect "and says so" 0 '^1$' bash -c "$PROGRAM preprocess -m $model --video $a --force-packing 6 2>&1 >/dev/null | grep -c 'force-packing 6: --packing 3'"
expect "a section" 0 '"frame_indices": \[20, 21, 22\], "timestamps": \[2.0, .*, "temporal_ids": \[\[0\], \[1\], \[2\]\]' \
    video "$a" --fps 10 --start 2 --end 2.25
expect "a section to the end" 0 '"frame_indices": \[98, 99\]' video "$a" --fps 10 --start 9.75
expect "about the video" 0 '"format": "Y4M", "width": 40, "height": 30, "frame_count": 100, "fps": 10.0, "container_fps": 10.0, "variable_rate": false, "duration": 10.0' video "$a"

expect "a folder" 0 '"format": "folder of images", "width": 16.*"frame_indices": \[0, 1, 2\], .*\[\[0\], \[5\], \[10\]\]' \
    video "$work/folder" --frame-rate 2
expect "a folder with times" 0 '"timestamps": \[0.0, 1.5, 4.0\], "temporal_ids": \[\[0\], \[15\], \[40\]\]' \
    video "$work/folder" --timestamps "$work/times"
result "the card's timing" "$(diff <(sampling_of "$work/folder" --timestamps "$work/times" --timing card) \
    <(sampling_of "$work/folder" --frame-rate 0.5))"

result "nothing on standard output with --output" "$(video "$a" --fps 1 --force-packing 2 -o "$work/a.safetensors" 2>&1)"
expect "the file's tensors" 0 'frames.9 .*\[30, 40, 3\]' "$PROGRAM" inspect "$work/a.safetensors"
expect "ids in the file" 0 'temporal_ids.*I32' "$PROGRAM" inspect "$work/a.safetensors"
expect "JSON besides" 0 '"packing": 2' video "$a" --fps 1 --force-packing 2 -o "$work/a.safetensors" --json
result "a contact sheet" "$(video "$a" --fps 2 --force-packing 3 --contact-sheet "$work/sheet.png" 2>&1)"
expect "which is a picture" 0 "\"image_sizes\": \[\[$(png_size "$work/sheet.png" | sed 's/ /, /')\]\]" \
    "$PROGRAM" preprocess -m "$model" -i "$work/sheet.png"

expect_error "no model" 2 'model' "$PROGRAM" preprocess --video "$a"
expect_error "a rate of nothing" 2 'fps 0' video "$a" --fps 0
expect_error "more than the model packs" 2 'packing 7' video "$a" --packing 7
expect_error "an end before the start" 2 'end 1' video "$a" --start 2 --end 1
expect_error "a section behind the end" 2 'no picture .* lasts 10 s' video "$a" --start 11
expect_error "an unknown timing" 2 'timing x' video "$a" --timing x
expect_error "images besides" 2 'image does not go' video "$a" -i "$a"
expect_error "two videos" 2 'one at a time' video "$a" --video "$a"
expect_error "video options without a video" 2 'packing goes with --video' "$PROGRAM" preprocess -m "$model" --packing 2
expect_error "a sheet without a video" 2 'contact-sheet goes with' "$PROGRAM" preprocess -m "$model" --contact-sheet "$work/b.png"
expect_error "a folder without times" 2 'needs a frame rate' video "$work/folder"
expect_error "no pictures" 3 'none.y4m: a video without pictures' video "$work/none.y4m"
expect_error "no file" 3 'nowhere.mp4' video "$work/nowhere.mp4"
expect_error "a sheet that cannot be written" 3 'nowhere' video "$a" --contact-sheet "$work/nowhere/sheet.png"

# tests/live/video_chat.py compares the answers with the original's.
chat() { "$PROGRAM" chat -m "$model" --no-sampling --max-new-tokens 4 --json "$@"; }
session() { printf 'Why?\n/video %s\nWhat?\n/image golden/images/large.png\nWho?\n' "$a" | chat "$@" | wc -l; }
expect "an answer about a video" 0 '"answer": ?"' chat --video "$a" -p 'What?'
expect "videos and an image" 0 '"answer"' chat --video "$a" -i golden/images/large.png --video "$a" --force-packing 3 -p 'What?'
expect "a video later in a session" 0 '^3$' session --fps 2
expect_error "a video that is not there" 3 'nowhere.mp4' chat --video nowhere.mp4 -p 'What?'
expect_error "a video without pictures" 3 'without pictures' chat --video "$work/none.y4m" -p 'What?'
expect_error "options without a video" 2 'fps goes with --video' chat --fps 2 -p 'What?'
expect_error "an option out of its range" 2 'force-packing 7' chat --video "$a" --force-packing 7 -p 'What?'

# The same frames, picked by ffmpeg and given as images, make the same inputs.
if ! command -v ffmpeg >/dev/null; then
    for name in "an mp4's frames" "an mp4's inputs"; do skip "$name" "ffmpeg is not installed"; done
elif "$PROGRAM" preprocess -m "$model" --video "$0" 2>&1 | grep -q "lacks FFmpeg's libraries"; then
    for name in "an mp4's frames" "an mp4's inputs"; do skip "$name" "this build lacks FFmpeg's libraries"; done
else
    ffmpeg -nostdin -v error -f lavfi -i testsrc2=size=320x180:rate=25:duration=2 -c:v libx264 -pix_fmt yuv420p "$work/b.mp4"
    ffmpeg -nostdin -v error -i "$work/b.mp4" -vf "select='not(mod(n-2,5))'" -vsync passthrough "$work/f%02d.png"
    images=("$work"/f*.png)
    expect "an mp4's frames" 0 '"frame_indices": \[2, 7, 12, 17, 22, 27, 32, 37, 42, 47\], .*\[\[1, 3, 5\], \[7, 9, 11\], \[13, 15, 17\], \[19\]\]' \
        video "$work/b.mp4" --fps 5 --force-packing 3 -o "$work/b.safetensors" --json
    "$PROGRAM" preprocess -m "$model" "${images[@]/#/--image=}" --max-slice-nums 1 -o "$work/c.safetensors" \
        --temporal-ids '[[1, 3, 5], [7, 9, 11], [13, 15, 17], [19]]'
    "$PROGRAM" diff "$work/b.safetensors" "$work/c.safetensors" >"$work/table" 2>&1
    [ "$(grep -cE '^(temporal_ids|tgt_sizes|pixel_values).* ok$' "$work/table")" -eq 12 ] && same="" || same=$(cat "$work/table")
    result "an mp4's inputs" "$same"
fi
finish
