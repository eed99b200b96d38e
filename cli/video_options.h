/* The options of commands that take videos. */
#ifndef MCV_CLI_VIDEO_OPTIONS_H
#define MCV_CLI_VIDEO_OPTIONS_H

#include "cli/cli.h"
#include "video/clip.h"

/* Rows for a command's table of options, to go with --video. */
#define MCV_VIDEO_OPTIONS                                                                                              \
    {0, "fps", "N", "video frames a second (default 3)"},                                                              \
        {0, "max-frames", "N", "frame groups at most, where packing can help it (default 180)"},                       \
        {0, "packing", "N", "frames a group at most, 1 to 6 (default 3)"},                                             \
        {0, "force-packing", "N", "frames a group, within --packing (default: as few as fit --max-frames)"},           \
        {0, "start", "SECONDS", "where the video's section begins (default 0)"},                                       \
        {0, "end", "SECONDS", "where it ends (default: the video's end)"},                                             \
        {0, "timing", "file|card", "when frames are shown: as the file says (default), or at even steps"},             \
        {0, "frame-rate", "N", "of a folder of images, frames a second"}, {                                            \
        0, "timestamps", "FILE", "of a folder of images, a time in seconds a line"                                     \
    }

/* What they say. MCV_USAGE: a value that is malformed or out of its range. */
mcv_status mcv_video_options_read(const mcv_arguments *arguments, mcv_clip_options *options);

/* MCV_USAGE where one of them is given. */
mcv_status mcv_video_options_refuse(const mcv_arguments *arguments);

#endif
